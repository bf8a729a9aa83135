package upa.pager.scale;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class ClusterTest {

    private static final int FAULTS = 200_000;
    private static final double WITHIN = 0.02;

    private static void near(double expected, double actual) {
        assertEquals(1, actual / expected, WITHIN, "expected=" + expected + " actual=" + actual);
    }

    /** Never queueing, a thread needs the sum of all: 1 / (compute + costs). */
    @Test
    void aSingleThreadWaitsForNobody() {
        Costs costs = new Costs(10e-6, 4e-6, 6e-6);
        Cluster.Result r = new Cluster(1, 1, 1, costs, 80e-6).run(FAULTS, 1);
        near(1 / 100e-6, r.faults());
        near(0.10, r.pager());
        near(0.04, r.link());
        near(0.06, r.node());
    }

    /** Mean value analysis (M. Reiser, S. Lavenberg, 1980) is exact for one client. */
    @Test
    void oneClientIsAsMeanValueAnalysisSays() {
        for (int threads : new int[] {2, 5, 20}) {
            for (int nodes : new int[] {1, 3}) {
                Costs costs = new Costs(10e-6, 4e-6, 6e-6);
                Cluster.Result r = new Cluster(1, threads, nodes, costs, 50e-6).run(FAULTS, 2);
                near(throughput(costs, nodes, 50e-6, threads), r.faults());
            }
        }
    }

    private static double throughput(Costs costs, int nodes, double compute, int threads) {
        double[] demand = new double[2 + nodes];
        demand[0] = costs.pager();
        demand[1] = costs.link();
        for (int i = 0; i < nodes; i++) {
            demand[2 + i] = costs.node() / nodes;
        }
        double[] queue = new double[demand.length];
        double throughput = 0;
        for (int n = 1; n <= threads; n++) {
            double response = 0;
            double[] residence = new double[demand.length];
            for (int k = 0; k < demand.length; k++) {
                residence[k] = demand[k] * (1 + queue[k]);
                response += residence[k];
            }
            throughput = n / (compute + response);
            for (int k = 0; k < demand.length; k++) {
                queue[k] = throughput * residence[k];
            }
        }
        return throughput;
    }

    @Test
    void whatIsSlowestBindsAll() {
        Costs costs = new Costs(10e-6, 1e-6, 20e-6);
        Cluster nodes = new Cluster(64, 16, 4, costs, 10e-6);
        Cluster.Result r = nodes.run(FAULTS, 3);
        assertTrue(r.faults() <= nodes.bound() * (1 + WITHIN), r.toString());
        near(4 / 20e-6, nodes.bound());
        near(1, r.node());
        Cluster pagers = new Cluster(2, 64, 64, costs, 10e-6);
        near(2 / 10e-6, pagers.run(FAULTS, 3).faults());
        near(2 / 10e-6, pagers.bound());
        near(2 / 30e-6, new Cluster(2, 64, 64, new Costs(10e-6, 30e-6, 1e-6), 1e-6).bound());
    }

    @Test
    void latenciesAreInOrderAndTheSeedDecides() {
        Cluster cluster = new Cluster(8, 4, 2, new Costs(10e-6, 4e-6, 6e-6), 50e-6);
        Cluster.Result r = cluster.run(FAULTS, 4);
        assertTrue(r.median() < r.p99() && r.median() > 10e-6, r.toString());
        assertEquals(r, cluster.run(FAULTS, 4));
        assertTrue(!r.equals(cluster.run(FAULTS, 5)), "seed");
        // Exponential times one after the other, without anybody to wait for: the 99th percentile of their sum.
        Cluster.Result alone = new Cluster(1, 1, 1, new Costs(1e-12, 1e-12, 10e-6), 1).run(FAULTS, 4);
        near(10e-6 * Math.log(2), alone.median());
        assertEquals(10e-6 * Math.log(100), alone.p99(), 0.05 * 46e-6);
    }

    @Test
    void whatCannotBeIsRefused() {
        Costs costs = new Costs(1, 1, 1);
        assertThrows(IllegalArgumentException.class, () -> new Cluster(0, 1, 1, costs, 1));
        assertThrows(IllegalArgumentException.class, () -> new Cluster(1, 0, 1, costs, 1));
        assertThrows(IllegalArgumentException.class, () -> new Cluster(1, 1, 0, costs, 1));
        assertThrows(IllegalArgumentException.class, () -> new Cluster(1, 1, 1, costs, 0));
        assertThrows(IllegalArgumentException.class, () -> new Costs(0, 1, 1));
        assertThrows(IllegalArgumentException.class, () -> new Costs(1, Double.NaN, 1));
        assertThrows(IllegalArgumentException.class, () -> new Costs(1, 1, -1));
    }

    /** The document says what the simulation does. */
    @Test
    void theTableOfTheDocumentIsThis() throws Exception {
        String document = Files.readString(Path.of("SCALE.md"));
        String table = String.join("\n", ScaleTable.lines());
        assertTrue(document.contains(table), "put this into SCALE.md:\n" + table);
    }
}
