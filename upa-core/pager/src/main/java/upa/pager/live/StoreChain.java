package upa.pager.live;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.LongSupplier;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.place.StoreTier;
import upa.pager.place.Words;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.CompressedStore;
import upa.pager.store.FileStore;
import upa.pager.store.NodeStore;
import upa.pager.store.NumaNodes;
import upa.pager.store.PageIo;
import upa.pager.store.RedisStore;
import upa.pager.store.Store;
import upa.pager.store.StoreException;
import upa.pager.store.StoreSpec;
import upa.pager.store.StoreStatistics;
import upa.pager.store.SwapStore;
import upa.pager.store.WriteThroughStore;
import upa.policy.Place;

/** The stores of a pager, nearest first. Safe for use by several threads. */
final class StoreChain implements AutoCloseable {
    /** Keeps for the next pager what its stores need to go on: descriptors and names, by the index of the store. */
    interface Keeper {
        /** Keeps nothing. */
        Keeper NONE = new Keeper() {
            @Override
            public int descriptor(int store) {
                return -1;
            }

            @Override
            public void keep(int store, int fd) {
                // Its stores end with this process.
            }

            @Override
            public byte[] id(int store) {
                return RedisStore.newId();
            }
        };

        /** {@return what has been kept, now the caller's, or -1} */
        int descriptor(int store);

        /** Keeps a descriptor, of which the caller's own is its own still. */
        void keep(int store, int fd);

        /** {@return the name under which a store keeps its pages, the same each time} */
        byte[] id(int store);
    }

    private static final int SIXTEENTHS = 16;

    private final List<Store> stores;
    private final List<MemorySegment> memories;
    private final MoveRate rate;

    private StoreChain(List<Store> stores, List<MemorySegment> memories, LongSupplier clock) {
        this.stores = stores;
        this.memories = memories;
        rate = new MoveRate(clock);
    }

    /** For tests: stores that there are. */
    static StoreChain of(Store... stores) {
        return of(System::nanoTime, stores);
    }

    /** For tests: stores that there are, and a clock by which pages are moved. */
    static StoreChain of(LongSupplier clock, Store... stores) {
        return new StoreChain(List.of(stores), List.of(), clock);
    }

    static StoreChain open(StoreSpec spec) throws StoreException {
        return open(spec, Keeper.NONE);
    }

    static StoreChain open(StoreSpec spec, Keeper keeper) throws StoreException {
        List<Store> stores = new ArrayList<>();
        List<MemorySegment> memories = new ArrayList<>();
        try {
            for (StoreSpec.Element e : spec.stores()) {
                int fd = keeper.descriptor(stores.size());
                Store store = switch (e.kind()) {
                    case LZ4, ZSTD -> compressed(e, fd, stores.size(), keeper, memories);
                    case FILE -> file(e, fd, stores.size(), keeper);
                    case REDIS -> RedisStore.open(e.name(), e.where(), keeper.id(stores.size()));
                    case ZRAM -> SwapStore.open(e.name());
                    case NUMA -> node(e);
                };
                stores.add(store);
                if (e.near() != null) {
                    // What it has the far one has too: the next pager begins with an empty one.
                    CompressedStore near = compressed(e.near(), -1, -1, Keeper.NONE, memories);
                    stores.set(stores.size() - 1, new WriteThroughStore(near, store));
                }
            }
        } catch (StoreException e) {
            new StoreChain(stores, memories, System::nanoTime).close();
            throw e;
        }
        return new StoreChain(stores, memories, System::nanoTime);
    }

    private static Store node(StoreSpec.Element e) throws StoreException {
        int number = Integer.parseInt(e.where());
        NumaNodes.Node near = NumaNodes.machine()
                .nearOf(number)
                .orElseThrow(() -> new StoreException("store=" + e.name() + ": there is no node but node=" + number));
        return new NodeStore(e.name(), number, near.number(), e.bytes());
    }

    private static Store file(StoreSpec.Element e, int kept, int index, Keeper keeper) throws StoreException {
        if (kept >= 0) {
            return FileStore.open(e.name(), kept, e.bytes());
        }
        FileStore store = FileStore.create(e.name(), Path.of(e.where()), e.bytes());
        keeper.keep(index, store.descriptor());
        return store;
    }

    private static CompressedStore compressed(
            StoreSpec.Element e, int kept, int index, Keeper keeper, List<MemorySegment> memories)
            throws StoreException {
        CompressedStore.Method method =
                e.kind() == StoreSpec.Kind.LZ4 ? CompressedStore.Method.LZ4 : CompressedStore.Method.ZSTD;
        if (!method.missing().isEmpty()) {
            throw new StoreException("store=" + e.name() + " cannot be had: " + method.missing());
        }
        int fd = kept >= 0 ? kept : Linux.memfd("upa-" + e.name(), e.bytes());
        MemorySegment memory = fd < 0 ? null : Linux.map(fd, e.bytes());
        if (memory == null) {
            throw new StoreException("the kernel refuses memory for store=" + e.name() + " bytes=" + e.bytes());
        }
        if (kept < 0) {
            keeper.keep(index, fd);
        }
        Posix.close(fd);
        memories.add(memory);
        return new CompressedStore(
                e.name(), method, memory, offset -> Linux.madvise(memory.asSlice(offset, 64 << 10), Linux.MADV_REMOVE));
    }

    /** Tells each store which slots a former one has handed out. */
    void adopt(long[] words, int count) {
        int[] slots = new int[count];
        for (int s = 0; s < stores.size(); s++) {
            int n = 0;
            for (int i = 0; i < count; i++) {
                if (isStored(words[i]) && PlaceWord.place(words[i]) - PlaceWord.FIRST_TIER == s) {
                    slots[n++] = PlaceWord.slot(words[i]);
                }
            }
            stores.get(s).adopt(slots, n);
        }
    }

    List<Place> places() {
        List<Place> places = new ArrayList<>();
        for (Store store : stores) {
            places.add(new Place(places.size(), store.name(), store.kind()));
        }
        return List.copyOf(places);
    }

    /** The kernel's swap, if that is where pages go; else null. */
    SwapStore swap() {
        return stores.getFirst() instanceof SwapStore swap ? swap : null;
    }

    /** The far node, if that is where pages go first; else null. */
    NodeStore node() {
        return !stores.isEmpty() && stores.getFirst() instanceof NodeStore node ? node : null;
    }

    /** Whether there is a store that takes content. */
    boolean takesContent() {
        return stores.size() > 1 || node() == null;
    }

    /** How fast pages go from store to store. */
    MoveRate rate() {
        return rate;
    }

    /**
     * What moves pages of a process to, from and between these stores.
     *
     * @param words   where each is
     * @param owner   runs what changes words
     * @param workers run what nobody waits for
     * @param release frees slots of pages that have left a store
     */
    Migration migration(Words words, Executor owner, Executor workers, StoreTier.Release release) {
        Migration migration = new Migration(words, owner, workers);
        for (int i = 0; i < stores.size(); i++) {
            migration.tier(PlaceWord.FIRST_TIER + i, new StoreTier(stores.get(i), release));
        }
        return migration;
    }

    /** The places of stores from one on that take content: what one does not take goes to the next. */
    int[] route(int from) {
        int first = Math.clamp(from, node() == null ? 0 : Math.min(1, stores.size() - 1), stores.size() - 1);
        int[] route = new int[stores.size() - first];
        for (int i = 0; i < route.length; i++) {
            route[i] = PlaceWord.FIRST_TIER + first + i;
        }
        return route;
    }

    /**
     * Finds a store.
     *
     * @return its index
     * @throws PagerException if there is none of that name
     */
    int index(String name) throws PagerException {
        for (int i = 0; i < stores.size(); i++) {
            if (stores.get(i).name().equals(name)) {
                return i;
            }
        }
        throw new PagerException("there is no store=" + name + "; there are "
                + String.join(", ", stores.stream().map(Store::name).toList()));
    }

    /** Whether more of the space of a store is in use than so many sixteenths. */
    boolean isFuller(int index, int sixteenths) {
        StoreStatistics s = stores.get(index).statistics();
        return s.bytesUsed() / sixteenths > s.bytesLimit() / SIXTEENTHS;
    }

    Store store(int index) {
        return stores.get(index);
    }

    int size() {
        return stores.size();
    }

    static boolean isStored(long word) {
        return PlaceWord.isStore(PlaceWord.place(word));
    }

    /** Reads the first page of a batch. */
    CompletableFuture<PageIo> read(long word, PageIo io) {
        io.begin(1);
        io.slot(0, PlaceWord.slot(word));
        io.check(0, PlaceWord.check(word));
        return stores.get(PlaceWord.place(word) - PlaceWord.FIRST_TIER).read(io);
    }

    /** Frees the slot of a page, if it has one. */
    void free(long word) {
        if (isStored(word)) {
            stores.get(PlaceWord.place(word) - PlaceWord.FIRST_TIER).free(new int[] {PlaceWord.slot(word)}, 1);
        }
    }

    String name(long word) {
        return stores.get(PlaceWord.place(word) - PlaceWord.FIRST_TIER).name();
    }

    /** Whether the word of a page names a store that there is. */
    boolean has(long word) {
        return isStored(word) && PlaceWord.place(word) - PlaceWord.FIRST_TIER < stores.size();
    }

    /** Ends, but for what the next pager finds. */
    void leave() {
        stores.forEach(Store::close);
        memories.forEach(Linux::unmap);
    }

    @Override
    public void close() {
        for (Store store : stores) {
            store.discard();
            store.close();
        }
        memories.forEach(Linux::unmap);
    }
}
