package upa.bench.driver;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;

/**
 * Somebody to measure: a contestant of the driver, with the allocator that makes the driver's {@code malloc} who it is.
 *
 * @param name as on the command line and in the data
 * @param driverName what the driver calls it; several can share the driver's {@code malloc}
 * @param description for the reader of the report
 * @param colour its colour in every chart
 * @param allocator the malloc; empty for what the driver brings itself
 */
public record Contestant(
        String name, String driverName, String description, String colour, Optional<Allocator> allocator) {

    private static final String MALLOC = "malloc";
    private static final String CONTROL = "-again";
    private static final Path DEVICE = Path.of("/dev/upa");
    private static final Path LIBRARIES = Path.of(System.getProperty("upa.library.path", "build/release/lib"));

    private static Contestant of(String name, String colour, String description) {
        return new Contestant(name, name, description, colour, Optional.empty());
    }

    /**
     * A malloc.
     *
     * @param allocator which
     * @return the contestant
     */
    public static Contestant of(Allocator allocator) {
        return new Contestant(
                allocator.name(), MALLOC, allocator.description(), allocator.colour(), Optional.of(allocator));
    }

    /**
     * Everybody, base lines first. Of the allocators those that run on the kernel: the driver calls UPA itself.
     *
     * @return all of them
     */
    public static List<Contestant> all() {
        return Stream.of(
                        Stream.of(
                                of("kernel", "#d1495b", "the kernel's mmap and munmap; a touch faults"),
                                of(
                                        "kernel-populate",
                                        "#e98a15",
                                        "mmap with MAP_POPULATE: the call faults all pages in"),
                                of("kernel-huge", "#a06a42", "mmap with MADV_HUGEPAGE"),
                                of(
                                        "cache-exact",
                                        "#7d8597",
                                        "mmap with a cache of freed mappings of the same size, cleared"),
                                of(
                                        "cache-exact-uncleared",
                                        "#7d8597",
                                        "mmap with a cache of freed mappings of the same size, uncleared"),
                                of(
                                        "cache-fit-uncleared",
                                        "#a5a58d",
                                        "mmap with a cache of freed mappings, best fit, uncleared"),
                                of("upa", "#2176ae", "UPA through upa_mmap: blocks read zero, as the kernel's do"),
                                of(
                                        "upa-uncleared",
                                        "#1b998b",
                                        "UPA through upa_mmap with UPA_MAP_UNCLEARED: old bytes may show"),
                                of(
                                        "upa-pte",
                                        "#7b5ea7",
                                        "UPA on the kernel module, guarded: the process names the frame behind"
                                                + " each page"),
                                of("upa-pte-uncleared", "#b07aa1", "UPA on the kernel module, guarded, uncleared"),
                                of(
                                        "upa-pte-raw",
                                        "#8c6d31",
                                        "UPA on the kernel module, raw: the process writes its page tables"),
                                of("upa-pte-raw-uncleared", "#c9a227", "UPA on the kernel module, raw, uncleared"),
                                of("region", "#57a0d3", "a UPA region, called directly, cleared"),
                                of("region-uncleared", "#66c2a5", "a UPA region, called directly, uncleared"),
                                of("region-huge", "#7b5ea7", "a UPA region with huge pages, cleared"),
                                of("region-huge-uncleared", "#b07aa1", "a UPA region with huge pages, uncleared"),
                                of(
                                        "region-give-back",
                                        "#8d99ae",
                                        "a UPA region that gives all memory back after every release"),
                                of("region-limit", "#3d5a80", "a UPA region that keeps at most 256 MiB of free memory"),
                                of("dlmalloc-kernel", "#d1495b", "dlmalloc 2.8.6 on the kernel's mmap"),
                                of("dlmalloc-upa", "#2176ae", "dlmalloc 2.8.6 on upa_mmap, cleared"),
                                of(
                                        "dlmalloc-upa-uncleared",
                                        "#1b998b",
                                        "dlmalloc 2.8.6 on upa_mmap, uncleared (malloc promises no zeros)")),
                        Allocators.all().stream()
                                .filter(a -> !a.upa() && a.own().isEmpty() && !isControl(a.name()))
                                .map(Contestant::of),
                        Stream.of(of("llfree", "#2176ae", "UPA's page-number allocator alone, no memory behind it")))
                .flatMap(s -> s)
                .toList();
    }

    /**
     * The same under another name: a control. Between the two there is no difference but what the machine does.
     *
     * @return a contestant that no section shows
     */
    public Contestant control() {
        return new Contestant(controlOf(name), driverName, description + ", once more", colour, allocator);
    }

    /**
     * The name of a control.
     *
     * @param name of the contestant it repeats
     * @return its name
     */
    public static String controlOf(String name) {
        return name + CONTROL;
    }

    /**
     * Whether a name is that of a control.
     *
     * @param name of a contestant
     * @return true if it is
     */
    public static boolean isControl(String name) {
        return name.endsWith(CONTROL);
    }

    /**
     * Whether it is a malloc of the process, which {@code LD_PRELOAD} decides.
     *
     * @return true for what the driver calls malloc
     */
    public boolean isMalloc() {
        return driverName.equals(MALLOC);
    }

    /**
     * Whether it is a malloc of the user's.
     *
     * @return true if the catalogue does not know it
     */
    public boolean isOwn() {
        return allocator.filter(a -> !Allocators.all().contains(a)).isPresent();
    }

    /**
     * Whether it can take part here.
     *
     * @return false if {@link #missing} says why not
     */
    public boolean isInstalled() {
        return missing().isEmpty();
    }

    /**
     * What keeps it from taking part here, and how to get it.
     *
     * @return a few words; empty if nothing does
     */
    public Optional<String> missing() {
        if (name.startsWith("upa-pte") && !Files.isWritable(DEVICE)) {
            return Optional.of("no " + DEVICE + ": load the module of kernel-ext, or use ./upa vm bench");
        }
        if (name.startsWith("dlmalloc") && !Files.isReadable(LIBRARIES.resolve(dlmalloc()))) {
            return Optional.of("library=" + LIBRARIES.resolve(dlmalloc()) + " is not there: build it with ./upa build");
        }
        return allocator.flatMap(a -> a.missing(LIBRARIES));
    }

    /** Such as libdlmalloc_upa_uncleared.so, which the driver loads. */
    private String dlmalloc() {
        return "lib" + name.replace('-', '_') + ".so";
    }

    /** The library it preloads; empty if it is not a malloc, or not installed. */
    Optional<Path> library() {
        return allocator.flatMap(a -> a.preloaded(LIBRARIES).stream().findFirst());
    }

    /** The variables it needs. */
    Map<String, String> variables() {
        return allocator.map(a -> a.variables(LIBRARIES)).orElse(Map.of());
    }
}
