package upa.measure.allocator;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The catalogue. <em>Tuned</em> means one thing for each allocator: set to keep all memory once it has it, of every
 * size, so that a freed block is never given back to the kernel. That is what UPA does, hence the fair rival. README.md
 * of montecarlo-bench says why each setting is what it is.
 */
public final class Allocators {

    /** The base line of every ratio. */
    public static final String BASE = "glibc";
    /** The base line once more, a control: between the two there is no difference but what the machine does. */
    public static final String CONTROL = "glibc-again";
    /** UPA under the malloc that programs have anyway. */
    public static final String UPA = "upa";
    /** Those that keep all memory, and so are the hardest to beat. */
    public static final Set<String> TUNED = Set.of("glibc-tuned", "jemalloc-tuned", "mimalloc-tuned", "tcmalloc-tuned");

    /** The few that a narrow table shows, and that run unless others are asked for. */
    public static final Set<String> MAIN =
            Set.of(BASE, "glibc-tuned", "jemalloc-tuned", "mimalloc-tuned", "tcmalloc-tuned", UPA);

    private static final String UPA_LIBRARY = "libupa_mmap.so";
    private static final String DLMALLOC_LIBRARY = "libupa_malloc.so";
    private static final Map<String, String> SHIPPED = Map.of();

    private static final Library GLIBC = new Library("libc.so.6", "libc6");
    private static final Library JEMALLOC = new Library("libjemalloc.so.2", "libjemalloc2");
    private static final Library MIMALLOC = new Library("libmimalloc.so.2", "libmimalloc2.0");
    private static final Library TCMALLOC = new Library("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4");

    /** An allocator's name, and that of the same with UPA under it. */
    public static final Map<String, String> PAIRS = pairs();

    private static final List<Allocator> ALL = List.of(
            of(BASE, "#6c757d", "glibc's malloc as shipped", GLIBC, SHIPPED),
            of(CONTROL, "#343a40", "glibc's malloc as shipped, once more: what differs is the machine", GLIBC, SHIPPED),
            onUpa(UPA, "#2176ae", "glibc's malloc, as shipped, on UPA", GLIBC),
            dlmalloc("upa-dlmalloc", "#1b998b", "dlmalloc 2.8.6, several heaps, on UPA", true),
            onUpa("upa-jemalloc", "#57a0d3", "jemalloc, as shipped, on UPA", JEMALLOC),
            onUpa("upa-mimalloc", "#3d5a80", "mimalloc, as shipped, on UPA", MIMALLOC),
            onUpa("upa-tcmalloc", "#66c2a5", "tcmalloc, as shipped, on UPA", TCMALLOC),
            of(
                    "glibc-hugepages",
                    "#495057",
                    "glibc's malloc with its tunable for transparent huge pages",
                    GLIBC,
                    Map.of("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")),
            of(
                    "glibc-tuned",
                    "#adb5bd",
                    "glibc's malloc that keeps all memory (no mmap, no trimming)",
                    GLIBC,
                    Map.of("MALLOC_MMAP_MAX_", "0", "MALLOC_TRIM_THRESHOLD_", Long.toString(Long.MAX_VALUE))),
            dlmalloc("dlmalloc", "#d1495b", "dlmalloc 2.8.6, several heaps, on the kernel's mmap", false),
            of("jemalloc", "#e98a15", "jemalloc as shipped", JEMALLOC, SHIPPED),
            of(
                    "jemalloc-tuned",
                    "#f4b860",
                    "jemalloc that keeps all memory (no decay, no arena of their own for large blocks)",
                    JEMALLOC,
                    Map.of("MALLOC_CONF", "dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0")),
            of("mimalloc", "#9d4edd", "mimalloc as shipped", MIMALLOC, SHIPPED),
            of(
                    "mimalloc-tuned",
                    "#c8a2f0",
                    "mimalloc that keeps all memory (no decommit, no reset, large blocks from 2 GiB set aside)",
                    MIMALLOC,
                    // Without the reserve it maps and unmaps every large block whatever else is set.
                    Map.of(
                            "MIMALLOC_ALLOW_DECOMMIT", "0",
                            "MIMALLOC_PAGE_RESET", "0",
                            "MIMALLOC_ABANDONED_PAGE_DECOMMIT", "0",
                            "MIMALLOC_RESERVE_OS_MEMORY", "2GiB")),
            of("tcmalloc", "#e0589a", "gperftools' tcmalloc as shipped", TCMALLOC, SHIPPED),
            of(
                    "tcmalloc-tuned",
                    "#f2a3c8",
                    "tcmalloc that keeps all memory (no release)",
                    TCMALLOC,
                    Map.of("TCMALLOC_RELEASE_RATE", "0")));

    private Allocators() {}

    private static Map<String, String> pairs() {
        Map<String, String> pairs = new LinkedHashMap<>();
        pairs.put(BASE, UPA);
        List.of("dlmalloc", "jemalloc", "mimalloc", "tcmalloc").forEach(name -> pairs.put(name, "upa-" + name));
        return pairs;
    }

    private static Allocator of(
            String name, String colour, String description, Library malloc, Map<String, String> environment) {
        return new Allocator(name, description, colour, false, List.of(), Optional.of(malloc), environment);
    }

    private static Allocator onUpa(String name, String colour, String description, Library malloc) {
        return new Allocator(name, description, colour, true, List.of(UPA_LIBRARY), Optional.of(malloc), SHIPPED);
    }

    private static Allocator dlmalloc(String name, String colour, String description, boolean upa) {
        List<String> own = upa ? List.of(UPA_LIBRARY, DLMALLOC_LIBRARY) : List.of(DLMALLOC_LIBRARY);
        return new Allocator(name, description, colour, upa, own, Optional.empty(), SHIPPED);
    }

    /**
     * All of them: the base line, those on UPA, the others.
     *
     * @return in this order
     */
    public static List<Allocator> all() {
        return ALL;
    }

    /**
     * One of them.
     *
     * @param name its name
     * @return the allocator
     */
    public static Allocator named(String name) {
        return ALL.stream()
                .filter(a -> a.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no allocator of name=" + name));
    }

    /**
     * The same allocator without UPA.
     *
     * @param name of one that may be on UPA
     * @return the other's name; empty for those not on UPA
     */
    public static Optional<String> withoutUpa(String name) {
        return PAIRS.entrySet().stream()
                .filter(p -> p.getValue().equals(name))
                .map(Map.Entry::getKey)
                .findFirst();
    }
}
