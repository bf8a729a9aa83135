package upa.pager.store;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import upa.pager.host.Options;
import upa.policy.Place;

/**
 * A chain of stores, as on the command line: {@code lz4:256M,file:/var/tmp:4G,redis://host:port}. Pages go to the
 * nearest that has room and takes them. Elements are {@code lz4[:SIZE]} and {@code zstd[:SIZE]}, compressed memory;
 * {@code file:FOLDER[:SIZE]}; and the URLs of {@link RedisStore}. {@code zram}, alone, is the kernel's swap on it;
 * {@code numa:NODE[:SIZE]}, which comes first, memory of another node of the machine.
 * {@code lz4[:SIZE]+} or {@code zstd[:SIZE]+} before one of the latter two is compressed memory through which it is
 * written ({@link WriteThroughStore}).
 *
 * @param stores at least one
 */
public record StoreSpec(List<Element> stores) {
    /** Most stores of a chain. */
    public static final int MAX_STORES = 12;
    /** What is used if nothing is said: compressed memory, then a file. */
    public static final String DEFAULT = "lz4:1G,file:/var/tmp:4G";

    private static final long DEFAULT_MEMORY = 1L << 30;
    private static final long DEFAULT_FILE = 4L << 30;
    private static final long LEAST_MEMORY = 1 << 20;

    /** What an element is. */
    public enum Kind {
        LZ4(Place.Kind.COMPRESSED),
        ZSTD(Place.Kind.COMPRESSED),
        FILE(Place.Kind.FILE),
        REDIS(Place.Kind.REMOTE),
        ZRAM(Place.Kind.COMPRESSED),
        NUMA(Place.Kind.NODE);

        private final Place.Kind place;

        Kind(Place.Kind place) {
            this.place = place;
        }
    }

    /** {@return what they are to policies, before any is opened} */
    public List<Place> places() {
        List<Place> places = new ArrayList<>();
        for (Element store : stores) {
            places.add(new Place(places.size(), store.name, store.kind.place));
        }
        return List.copyOf(places);
    }

    /**
     * One store.
     *
     * @param name  by which policies and messages call it: its kind, with a number from the second of that kind on
     * @param kind  what it is
     * @param where folder or URL or number of the node, or empty
     * @param bytes most that it may take; of Redis the URL says it
     * @param near  compressed memory in front of it, or null
     */
    public record Element(String name, Kind kind, String where, long bytes, Element near) {
        /**
         * Makes one with nothing in front of it.
         *
         * @param name  of the store
         * @param kind  what it is
         * @param where folder or URL, or empty
         * @param bytes most that it may take
         */
        public Element(String name, Kind kind, String where, long bytes) {
            this(name, kind, where, bytes, null);
        }
    }

    /**
     * Reads a chain.
     *
     * @param text as on the command line
     * @return what it says
     * @throws StoreException if it cannot be read
     */
    public static StoreSpec parse(String text) throws StoreException {
        return parse(text, NumaNodes::machine);
    }

    /** On a machine of such nodes. */
    static StoreSpec parse(String text, Supplier<NumaNodes> nodes) throws StoreException {
        List<Element> stores = new ArrayList<>();
        for (String part : text.split(",", -1)) {
            Element element = element(part.strip(), nodes);
            long same = stores.stream().filter(s -> s.kind == element.kind).count();
            stores.add(new Element(
                    element.name + (same == 0 ? "" : Long.toString(same + 1)),
                    element.kind,
                    element.where,
                    element.bytes,
                    element.near));
        }
        if (stores.size() > 1 && stores.stream().anyMatch(s -> s.kind == Kind.ZRAM)) {
            throw new StoreException("store=zram goes with no other: what is there only the kernel can move");
        }
        if (stores.stream().skip(1).anyMatch(s -> s.kind == Kind.NUMA)) {
            throw new StoreException("store=" + text.strip() + " has numa behind another store: pages go to a node from"
                    + " memory, so one comes first, and no other");
        }
        if (stores.size() > MAX_STORES) {
            throw new StoreException("too many stores: stores=" + stores.size() + ", the most is " + MAX_STORES);
        }
        return new StoreSpec(List.copyOf(stores));
    }

    private static Element element(String text, Supplier<NumaNodes> nodes) throws StoreException {
        int plus = text.indexOf('+');
        if (plus < 0 || !text.startsWith("lz4") && !text.startsWith("zstd")) {
            return single(text, nodes);
        }
        Element near = single(text.substring(0, plus), nodes);
        Element far = single(text.substring(plus + 1), nodes);
        if (far.kind != Kind.FILE && far.kind != Kind.REDIS) {
            throw new StoreException(
                    "store=" + text + " has memory behind memory: write through it to a file or redis");
        }
        return new Element(far.name, far.kind, far.where, far.bytes, near);
    }

    private static Element single(String text, Supplier<NumaNodes> nodes) throws StoreException {
        if (RedisOptions.isUrl(text)) {
            RedisOptions.parse(text);
            return new Element("redis", Kind.REDIS, text, 0);
        }
        String[] parts = text.split(":", 2);
        switch (parts[0]) {
            case "lz4", "zstd" -> {
                long bytes = parts.length == 1 ? DEFAULT_MEMORY : size(text, parts[1]);
                if (bytes < LEAST_MEMORY || bytes > CompressedStore.MOST_BYTES) {
                    throw new StoreException(
                            "store=" + text + " needs a size from 1M to " + (CompressedStore.MOST_BYTES >> 30) + "G");
                }
                return new Element(
                        parts[0],
                        parts[0].equals("lz4") ? Kind.LZ4 : Kind.ZSTD,
                        "",
                        bytes / Slab.SPAN_BYTES * Slab.SPAN_BYTES);
            }
            case "zram" -> {
                if (parts.length > 1) {
                    throw new StoreException("store=" + text + ": the size of zram is the machine's: write zram");
                }
                return new Element("zram", Kind.ZRAM, "", 0);
            }
            case "numa" -> {
                return numa(text, parts.length == 1 ? "" : parts[1], nodes.get());
            }
            case "file" -> {
                return file(text, parts.length == 1 ? "" : parts[1]);
            }
            default ->
                throw new StoreException("there is no store=" + RedisOptions.withoutPassword(text)
                        + "; there are lz4[:SIZE], zstd[:SIZE], file:FOLDER[:SIZE], redis://HOST:PORT, zram,"
                        + " numa:NODE[:SIZE]");
        }
    }

    private static Element numa(String text, String rest, NumaNodes nodes) throws StoreException {
        String[] parts = rest.split(":", 2);
        if (!parts[0].matches("[0-9]{1,4}")) {
            throw new StoreException("store=" + text + " needs the number of a node: numa:NODE[:SIZE]");
        }
        int number = Integer.parseInt(parts[0]);
        NumaNodes.Node node = nodes.node(number).orElse(null);
        if (node == null) {
            throw new StoreException(
                    "store=" + text + ": there is no node=" + number + " with memory; nodes with memory: " + nodes);
        }
        if (nodes.nearOf(number).isEmpty()) {
            throw new StoreException("store=" + text + ": no other node has memory that would be nearer; nodes with"
                    + " memory: " + nodes);
        }
        long bytes = parts.length == 1 ? node.bytes() : size(text, parts[1]);
        if (bytes < LEAST_MEMORY || bytes > node.bytes()) {
            throw new StoreException(
                    "store=" + text + " needs a size from 1M to what node=" + number + " has, bytes=" + node.bytes());
        }
        return new Element("numa", Kind.NUMA, Integer.toString(number), bytes / PageIo.PAGE_BYTES * PageIo.PAGE_BYTES);
    }

    private static Element file(String text, String rest) throws StoreException {
        int colon = rest.lastIndexOf(':');
        boolean sized = colon >= 0 && rest.substring(colon + 1).matches("-?[0-9][^/]*");
        String folder = sized ? rest.substring(0, colon) : rest;
        long bytes = sized ? size(text, rest.substring(colon + 1)) : DEFAULT_FILE;
        if (folder.isEmpty()) {
            throw new StoreException("store=" + text + " needs a folder: file:FOLDER[:SIZE]");
        }
        if (bytes < FileStore.LEAST_BYTES || bytes > (long) Store.MAX_SLOTS * PageIo.PAGE_BYTES) {
            throw new StoreException("store=" + text + " needs a size from 1M to 1T");
        }
        try {
            return new Element(
                    "file",
                    Kind.FILE,
                    Path.of(folder).toAbsolutePath().normalize().toString(),
                    bytes);
        } catch (InvalidPathException e) {
            throw new StoreException("store=" + text + " has no folder that can be named in this locale", e);
        }
    }

    private static long size(String store, String text) throws StoreException {
        long bytes = Options.parseBytes(text);
        if (bytes < 0) {
            throw new StoreException("store=" + store + " has size=" + text + ", needs one as 256M or 4G");
        }
        return bytes;
    }
}
