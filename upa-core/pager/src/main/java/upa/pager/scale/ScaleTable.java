package upa.pager.scale;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The table of SCALE.md. */
public final class ScaleTable {
    private static final int FAULTS = 200_000;
    private static final long SEED = 1;
    private static final double COMPUTE = 200e-6;
    /** Processor time of a page that is asked for alone, and of one of a batch of 64; see SCALE.md. */
    private static final Costs ALONE = Costs.over(55e-6, 25, 20e-6);

    private static final Costs BATCHED = Costs.over(6.5e-6, 25, 5e-6);

    private ScaleTable() {}

    /** {@return its lines, in Markdown} */
    public static List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add("| clients | nodes | pages | faults/s | median | p99 | pager busy | link busy | node busy |");
        lines.add("|---|---|---|---|---|---|---|---|---|");
        for (int clients : new int[] {1, 16, 128, 512}) {
            for (int nodes : new int[] {1, 16, 64}) {
                if (nodes <= clients) {
                    lines.add(line(clients, nodes, "alone", ALONE));
                    lines.add(line(clients, nodes, "batched", BATCHED));
                }
            }
        }
        return lines;
    }

    private static String line(int clients, int nodes, String pages, Costs costs) {
        Cluster.Result r = new Cluster(clients, 4, nodes, costs, COMPUTE).run(FAULTS, SEED);
        return String.format(
                Locale.ROOT,
                "| %d | %d | %s | %,.0f thousand | %.0f µs | %.0f µs | %.0f %% | %.0f %% | %.0f %% |",
                clients,
                nodes,
                pages,
                r.faults() / 1e3,
                r.median() * 1e6,
                r.p99() * 1e6,
                100 * r.pager(),
                100 * r.link(),
                100 * r.node());
    }
}
