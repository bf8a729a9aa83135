package upa.bench.paging;

import java.util.List;
import java.util.Optional;

/**
 * How a program has more memory than it may have resident.
 *
 * @param id      its name in results
 * @param title   what it is
 * @param policy  of UPA's pager; empty for the kernel's ways
 * @param store   of UPA's pager
 * @param bounded whether memory is bounded at all
 * @param needs   what the machine must have set up for it
 */
record Way(String id, String title, String policy, String store, boolean bounded, Needs needs) {

    /** What has to be set up. */
    enum Needs {
        NOTHING,
        CGROUP,
        SWAP_FILE,
        ZSWAP,
        ZRAM
    }

    static final String ALL_IN_MEMORY = "all";
    static final String CSR_WINDOW = "upa-csr";
    static final String STRIDE = "upa-stride";
    static final String SWAP = "swap";

    /** All there are; the first is the base line. */
    static List<Way> all(String folder) {
        return List.of(
                new Way(ALL_IN_MEMORY, "all in memory, no bound", "", "", false, Needs.NOTHING),
                new Way("upa-lz4", "UPA, clock, compressed memory", "clock", "lz4:4G", true, Needs.NOTHING),
                new Way(
                        "upa-ahead",
                        "UPA, sequential+clock, compressed memory",
                        "sequential+clock",
                        "lz4:4G",
                        true,
                        Needs.NOTHING),
                new Way("upa-file", "UPA, clock, file", "clock", "file:" + folder + ":8G", true, Needs.NOTHING),
                new Way(
                        "upa-chain",
                        "UPA, clock, compressed memory then file",
                        "clock",
                        "lz4:4G,file:" + folder + ":8G",
                        true,
                        Needs.NOTHING),
                new Way(
                        STRIDE,
                        "UPA, stride+clock, file",
                        "stride+clock",
                        "file:" + folder + ":8G",
                        true,
                        Needs.NOTHING),
                new Way(
                        CSR_WINDOW,
                        "UPA, csr-window+clock, file",
                        "csr-window+clock",
                        "file:" + folder + ":8G",
                        true,
                        Needs.NOTHING),
                new Way(SWAP, "kernel, swap to a file", "", "", true, Needs.SWAP_FILE),
                new Way("zswap", "kernel, zswap before that file", "", "", true, Needs.ZSWAP),
                new Way("zram", "kernel, swap to zram", "", "", true, Needs.ZRAM),
                new Way("mmap", "kernel, mmap of a file", "", "", true, Needs.CGROUP));
    }

    boolean isUpa() {
        return !policy.isEmpty();
    }

    /** Whether it takes part in a pattern: policies of graph programs do in graph programs alone. */
    boolean isOf(String pattern) {
        return pattern.equals(PageRank.NAME)
                ? PageRank.WAYS.contains(id)
                : !id.equals(CSR_WINDOW) && !id.equals(STRIDE);
    }

    boolean isFile() {
        return id.equals("mmap");
    }

    /** What UPA's way is to be compared with, if that can be had. */
    Optional<String> rival() {
        return switch (id) {
            case "upa-lz4", "upa-ahead" -> Optional.of("zram");
            case "upa-file" -> Optional.of("swap");
            case "upa-chain" -> Optional.of("zswap");
            default -> Optional.empty();
        };
    }
}
