package upa.apps;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import upa.bench.Contestant.Library;

/**
 * One way to give a program its memory: libraries to preload, and variables that set an allocator up.
 *
 * @param name as on the command line and in the data
 * @param description for the reader of the report
 * @param colour its colour in every chart
 * @param upa whether it runs on UPA
 * @param own libraries of this project, file names in its library folder, preloaded first
 * @param malloc the malloc to preload behind them, libc's too, since some programs are linked with another; empty for one of {@code own}
 * @param environment variables that set it up
 */
record Contestant(
        String name,
        String description,
        String colour,
        boolean upa,
        List<String> own,
        Optional<Library> malloc,
        Map<String, String> environment) {

    /** The base line of every ratio. */
    static final String BASE = "glibc";
    /** UPA under the malloc that programs have anyway. */
    static final String UPA = "upa";
    /** Those that keep all memory, and so are the hardest to beat. */
    static final Set<String> RIVALS = Set.of("glibc-tuned", "jemalloc-tuned", "mimalloc-tuned", "tcmalloc-tuned");
    /** The default selection. */
    static final Set<String> MAIN = Set.of(BASE, "glibc-tuned", "jemalloc-tuned", "mimalloc-tuned", "tcmalloc-tuned", UPA);
    /** An allocator, and the same with UPA under it. */
    static final Map<String, String> PAIRS = pairs();

    private static final String UPA_LIBRARY = "libupa_mmap.so";
    private static final String DLMALLOC_LIBRARY = "libupa_malloc.so";

    private static Map<String, String> pairs() {
        Map<String, String> pairs = new LinkedHashMap<>();
        pairs.put(BASE, UPA);
        List.of("dlmalloc", "jemalloc", "mimalloc", "tcmalloc").forEach(name -> pairs.put(name, "upa-" + name));
        return pairs;
    }

    /** Everybody: the base line, those on UPA, the others. */
    static List<Contestant> all() {
        Optional<Library> none = Optional.empty();
        Optional<Library> libc = Optional.of(new Library("libc.so.6", "libc6"));
        Optional<Library> jemalloc = Optional.of(new Library("libjemalloc.so.2", "libjemalloc2"));
        Optional<Library> mimalloc = Optional.of(new Library("libmimalloc.so.2", "libmimalloc2.0"));
        Optional<Library> tcmalloc = Optional.of(new Library("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"));
        List<String> upa = List.of(UPA_LIBRARY);
        Map<String, String> shipped = Map.of();
        return List.of(
                new Contestant(BASE, "glibc's malloc as shipped", "#6c757d", false, List.of(), libc, shipped),
                new Contestant(UPA, "glibc's malloc, as shipped, on UPA", "#2176ae", true, upa, libc, shipped),
                new Contestant(
                        "upa-dlmalloc",
                        "dlmalloc 2.8.6, several heaps, on UPA",
                        "#1b998b",
                        true,
                        List.of(UPA_LIBRARY, DLMALLOC_LIBRARY),
                        none,
                        shipped),
                new Contestant("upa-jemalloc", "jemalloc, as shipped, on UPA", "#57a0d3", true, upa, jemalloc, shipped),
                new Contestant("upa-mimalloc", "mimalloc, as shipped, on UPA", "#3d5a80", true, upa, mimalloc, shipped),
                new Contestant("upa-tcmalloc", "tcmalloc, as shipped, on UPA", "#66c2a5", true, upa, tcmalloc, shipped),
                new Contestant(
                        "glibc-hugepages",
                        "glibc's malloc with its tunable for transparent huge pages",
                        "#495057",
                        false,
                        List.of(),
                        libc,
                        Map.of("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")),
                new Contestant(
                        "glibc-tuned",
                        "glibc's malloc that keeps all memory (no mmap, no trimming)",
                        "#adb5bd",
                        false,
                        List.of(),
                        libc,
                        Map.of("MALLOC_MMAP_MAX_", "0", "MALLOC_TRIM_THRESHOLD_", Long.toString(Long.MAX_VALUE))),
                new Contestant(
                        "dlmalloc",
                        "dlmalloc 2.8.6, several heaps, on the kernel's mmap",
                        "#d1495b",
                        false,
                        List.of(DLMALLOC_LIBRARY),
                        none,
                        shipped),
                new Contestant("jemalloc", "jemalloc as shipped", "#e98a15", false, List.of(), jemalloc, shipped),
                new Contestant(
                        "jemalloc-tuned",
                        "jemalloc that keeps all memory (no decay)",
                        "#f4b860",
                        false,
                        List.of(),
                        jemalloc,
                        Map.of("MALLOC_CONF", "dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0")),
                new Contestant("mimalloc", "mimalloc as shipped", "#9d4edd", false, List.of(), mimalloc, shipped),
                new Contestant(
                        "mimalloc-tuned",
                        "mimalloc that keeps all memory (no decommit, no reset, large blocks from 2 GiB set aside)",
                        "#c8a2f0",
                        false,
                        List.of(),
                        mimalloc,
                        // Without the reserve it maps and unmaps every large block whatever else is set.
                        Map.of(
                                "MIMALLOC_ALLOW_DECOMMIT", "0",
                                "MIMALLOC_PAGE_RESET", "0",
                                "MIMALLOC_ABANDONED_PAGE_DECOMMIT", "0",
                                "MIMALLOC_RESERVE_OS_MEMORY", "2GiB")),
                new Contestant("tcmalloc", "gperftools' tcmalloc as shipped", "#e0589a", false, List.of(), tcmalloc, shipped),
                new Contestant(
                        "tcmalloc-tuned",
                        "tcmalloc that keeps all memory (no release)",
                        "#f2a3c8",
                        false,
                        List.of(),
                        tcmalloc,
                        Map.of("TCMALLOC_RELEASE_RATE", "0")));
    }

    /** Why it cannot take part; empty if it can. */
    Optional<String> missing(Path libraries) {
        for (String file : own) {
            if (!Files.isReadable(libraries.resolve(file))) {
                return Optional.of("library=" + libraries.resolve(file) + " is not there: build it with ./upa build");
            }
        }
        return malloc.filter(library -> library.find().isEmpty())
                .map(library -> "not installed: apt-get install " + library.debianPackage());
    }

    /** The same allocator without UPA; empty for those not on UPA. */
    Optional<String> counterpart() {
        return PAIRS.entrySet().stream().filter(p -> p.getValue().equals(name)).map(Map.Entry::getKey).findFirst();
    }

    /** What is preloaded, in order. */
    List<Path> preloaded(Path libraries) {
        List<Path> files = new ArrayList<>();
        own.forEach(file -> files.add(libraries.resolve(file).toAbsolutePath()));
        malloc.flatMap(Library::find).ifPresent(files::add);
        return files;
    }

    /** All variables of the program: its set-up and what is preloaded. */
    Map<String, String> variables(Path libraries) {
        Map<String, String> variables = new LinkedHashMap<>(environment);
        List<String> files = preloaded(libraries).stream().map(Path::toString).toList();
        if (!files.isEmpty()) {
            variables.put("LD_PRELOAD", String.join(":", files));
        }
        return variables;
    }
}
