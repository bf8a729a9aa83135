package upa.bench.paging;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How {@code upa-pagerank} is run and what it says. */
final class PageRank {
    /** The name among the patterns. */
    static final String NAME = "pagerank";

    /** Those that take part, the base line first. Of a graph's edges nothing can be compressed. */
    static final Set<String> WAYS = Set.of(Way.ALL_IN_MEMORY, Way.CSR_WINDOW, Way.STRIDE, "upa-file", Way.SWAP, "zram");

    private static final Pattern RESULT = Pattern.compile("vertices (\\d+) edges \\d+ iterations (\\d+)"
            + " ns_per_iteration (\\d+) sum ([\\d.]+) checksum ([0-9a-f]{16}) build_ns (\\d+)");
    private static final int PAGE_SHIFT = 12;
    private static final long LEAST_ROW_BYTES = 96;
    /** Beside its row a vertex has a degree, a rank and a contribution, of 4 bytes each. */
    private static final long VERTEX_BYTES = 12;

    /** After so many iterations, of the same graph, the ranks must be these. */
    private final Map<Integer, String> checksums = new TreeMap<>();

    /** None was run yet. */
    PageRank() {}

    /**
     * What the program has in memory.
     *
     * @param graphBytes the graph
     * @return bytes
     */
    static long bytes(long graphBytes) {
        return graphBytes + VERTEX_BYTES * Long.highestOneBit(graphBytes / LEAST_ROW_BYTES);
    }

    /**
     * What of it may be in memory: 60 %.
     *
     * @param graphBytes the graph
     * @return whole MiB
     */
    static long boundMib(long graphBytes) {
        return bytes(graphBytes) * 6 / 10 >> 20;
    }

    /**
     * The command; the graph is the same in each round.
     *
     * @param program    upa-pagerank
     * @param size       of the experiment
     * @param iterations most
     * @param threads    how many
     */
    static List<String> command(Path program, PagingExperiment.Size size, int iterations, int threads) {
        return List.of(
                program.toString(),
                Long.toString(size.mib()),
                Integer.toString(iterations),
                Integer.toString(size.seconds()),
                Integer.toString(threads),
                Long.toString(size.seed()));
    }

    /**
     * What a run has said.
     *
     * @param text    its output
     * @param way     how it was paged
     * @param threads how many
     * @param round   number of the round
     * @param mib     size of the graph
     * @return its row
     * @throws WrongException if it is not what it should be
     */
    PagingRow row(String text, Way way, int threads, int round, long mib) throws WrongException {
        Matcher m = RESULT.matcher(text);
        if (!m.find()) {
            throw new WrongException("said=" + text.strip());
        }
        int iterations = Integer.parseInt(m.group(2));
        String right = checksums.putIfAbsent(iterations, m.group(5));
        if (right != null && !right.equals(m.group(5))) {
            throw new WrongException("checksum=" + m.group(5) + " after iterations=" + iterations
                    + " is not that of the runs before, " + right);
        }
        long bytes = bytes(mib << 20);
        return new PagingRow(
                way.id(),
                NAME,
                threads,
                round,
                bytes,
                way.bounded() ? boundMib(mib << 20) << 20 : bytes,
                iterations,
                Double.parseDouble(m.group(3)),
                Double.parseDouble(m.group(6)) / (bytes >> PAGE_SHIFT));
    }

    /** A run whose result is wrong. */
    static final class WrongException extends Exception {
        private static final long serialVersionUID = 1;

        WrongException(String message) {
            super(message);
        }
    }
}
