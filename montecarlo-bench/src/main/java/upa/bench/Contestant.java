package upa.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Somebody to measure: a contestant of the driver, with the environment that makes it who it is.
 *
 * @param name as on the command line and in the data
 * @param driverName what the driver calls it; several can share the driver's {@code malloc}
 * @param description for the reader of the report
 * @param colour its colour in every chart
 * @param environment variables set for the driver
 * @param library the malloc to preload; empty for none
 */
public record Contestant(
        String name,
        String driverName,
        String description,
        String colour,
        Map<String, String> environment,
        Optional<Library> library) {

    private static final List<Path> LIBRARY_FOLDERS = List.of(
            Path.of("/usr/lib/x86_64-linux-gnu"),
            Path.of("/usr/lib/aarch64-linux-gnu"),
            Path.of("/usr/lib64"),
            Path.of("/usr/lib"),
            Path.of("/usr/local/lib"));

    private static final Path DEVICE = Path.of("/dev/upa");

    /**
     * A malloc library.
     *
     * @param file its file name, searched in the usual folders, or its path
     * @param debianPackage where to get it from; empty if unknown
     */
    public record Library(String file, String debianPackage) {

        /**
         * Where it is.
         *
         * @return its path; empty if it is not installed
         */
        public Optional<Path> find() {
            return LIBRARY_FOLDERS.stream()
                    .map(folder -> folder.resolve(file))
                    .filter(Files::isReadable)
                    .findFirst();
        }
    }

    private static Contestant of(String name, String colour, String description) {
        return new Contestant(name, name, description, colour, Map.of(), Optional.empty());
    }

    private static Contestant malloc(
            String name, String colour, String description, Map<String, String> environment, Library library) {
        return new Contestant(name, "malloc", description, colour, environment, Optional.ofNullable(library));
    }

    /**
     * A malloc of the user's own choice.
     *
     * @param name what to call it
     * @param file the shared library
     * @return the contestant
     */
    static Contestant ofLibrary(String name, Path file) {
        return malloc(
                name,
                "#8c6d31",
                "malloc of " + file.getFileName(),
                Map.of(),
                new Library(file.toAbsolutePath().toString(), ""));
    }

    /**
     * Everybody, base lines first.
     *
     * @return a new list
     */
    static List<Contestant> all() {
        Library jemalloc = new Library("libjemalloc.so.2", "libjemalloc2");
        return new ArrayList<>(List.of(
                of("kernel", "#d1495b", "the kernel's mmap and munmap; a touch faults"),
                of("kernel-populate", "#e98a15", "mmap with MAP_POPULATE: the call faults all pages in"),
                of("kernel-huge", "#a06a42", "mmap with MADV_HUGEPAGE"),
                of("cache-exact", "#7d8597", "mmap with a cache of freed mappings of the same size, cleared"),
                of(
                        "cache-exact-uncleared",
                        "#7d8597",
                        "mmap with a cache of freed mappings of the same size, uncleared"),
                of("cache-fit-uncleared", "#a5a58d", "mmap with a cache of freed mappings, best fit, uncleared"),
                of("upa", "#2176ae", "UPA through upa_mmap: blocks read zero, as the kernel's do"),
                of("upa-uncleared", "#1b998b", "UPA through upa_mmap with UPA_MAP_UNCLEARED: old bytes may show"),
                of("upa-pte", "#7b5ea7", "UPA on the kernel module, guarded: the process names the frame behind each page"),
                of("upa-pte-uncleared", "#b07aa1", "UPA on the kernel module, guarded, uncleared"),
                of("upa-pte-raw", "#8c6d31", "UPA on the kernel module, raw: the process writes its page tables"),
                of("upa-pte-raw-uncleared", "#c9a227", "UPA on the kernel module, raw, uncleared"),
                of("region", "#57a0d3", "a UPA region, called directly, cleared"),
                of("region-uncleared", "#66c2a5", "a UPA region, called directly, uncleared"),
                of("region-huge", "#7b5ea7", "a UPA region with huge pages, cleared"),
                of("region-huge-uncleared", "#b07aa1", "a UPA region with huge pages, uncleared"),
                of("region-give-back", "#8d99ae", "a UPA region that gives all memory back after every release"),
                of("region-limit", "#3d5a80", "a UPA region that keeps at most 256 MiB of free memory"),
                of("dlmalloc-kernel", "#d1495b", "dlmalloc 2.8.6 on the kernel's mmap"),
                of("dlmalloc-upa", "#2176ae", "dlmalloc 2.8.6 on upa_mmap, cleared"),
                of(
                        "dlmalloc-upa-uncleared",
                        "#1b998b",
                        "dlmalloc 2.8.6 on upa_mmap, uncleared (malloc promises no zeros)"),
                malloc("glibc", "#6c757d", "glibc's malloc as shipped", Map.of(), null),
                malloc(
                        "glibc-tuned",
                        "#adb5bd",
                        "glibc's malloc that keeps all memory (no mmap, no trimming)",
                        Map.of("MALLOC_MMAP_MAX_", "0", "MALLOC_TRIM_THRESHOLD_", Long.toString(Long.MAX_VALUE)),
                        null),
                malloc("jemalloc", "#e98a15", "jemalloc as shipped", Map.of(), jemalloc),
                malloc(
                        "jemalloc-no-decay",
                        "#f4b860",
                        "jemalloc that keeps all memory (no decay)",
                        Map.of("MALLOC_CONF", "dirty_decay_ms:-1,muzzy_decay_ms:-1"),
                        jemalloc),
                malloc(
                        "mimalloc",
                        "#9d4edd",
                        "mimalloc as shipped",
                        Map.of(),
                        new Library("libmimalloc.so.2", "libmimalloc2.0")),
                malloc(
                        "tcmalloc",
                        "#e0589a",
                        "gperftools' tcmalloc as shipped",
                        Map.of(),
                        new Library("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4")),
                of("llfree", "#2176ae", "UPA's page-number allocator alone, no memory behind it")));
    }

    /** Whether it is a malloc of the user's. */
    boolean isOwn() {
        return library.filter(l -> l.file().startsWith("/")).isPresent();
    }

    boolean isInstalled() {
        return missing().isEmpty();
    }

    /** What keeps it from taking part here, and how to get it; empty if nothing does. */
    String missing() {
        if (name.startsWith("upa-pte") && !Files.isWritable(DEVICE)) {
            return "no " + DEVICE + ": load the module of kernel-ext, or use ./upa vm bench";
        }
        if (library.isEmpty() || library.get().find().isPresent()) {
            return "";
        }
        String debian = library.get().debianPackage();
        return "not installed" + (debian.isEmpty() ? "" : ": apt-get install " + debian);
    }
}
