package upa.pager.scale;

import java.util.Arrays;
import java.util.PriorityQueue;
import java.util.SplittableRandom;

/**
 * Client machines with a pager and a link each, and a cluster that they share, as a closed network of queues: each
 * thread computes for a while, faults, and waits until its page has passed its pager, its link, a node, the link and
 * the pager again. Times of computing and of service are exponential, nodes are chosen at random, queues are served in
 * the order of arrival. The same seed gives the same result.
 *
 * @param clients machines
 * @param threads of each, that fault
 * @param nodes   of the cluster
 * @param costs   of a page
 * @param compute seconds of a thread between two faults, in the mean
 */
public record Cluster(int clients, int threads, int nodes, Costs costs, double compute) {
    /** The parts of {@link Costs#pager()} and {@link Costs#link()} that are before and behind the node. */
    private static final int HALVES = 2;

    private static final int STAGES = 5;

    /** Refuses what cannot be. */
    public Cluster {
        if (clients < 1 || threads < 1 || nodes < 1 || !(compute > 0)) {
            throw new IllegalArgumentException(
                    "clients=" + clients + " threads=" + threads + " nodes=" + nodes + " compute=" + compute);
        }
    }

    /**
     * What came of it.
     *
     * @param faults   a second, of all clients
     * @param median   seconds of a fault
     * @param p99      seconds within which 99 % of the faults are served
     * @param pager    part of the time that a pager is busy, from 0 to 1; in the mean, as the next two
     * @param link     part of the time that a link is busy
     * @param node     part of the time that a node is busy
     */
    public record Result(double faults, double median, double p99, double pager, double link, double node) {}

    /** A thread arrives somewhere. */
    private record Arrival(double time, int thread, int stage, double began) implements Comparable<Arrival> {
        @Override
        public int compareTo(Arrival other) {
            return Double.compare(time, other.time);
        }
    }

    /** A queue served in the order of arrival: when it is free again is all there is to know. */
    private static final class Server {
        private double free;
        private double busy;

        double serve(double arrival, double service) {
            free = Math.max(free, arrival) + service;
            busy += service;
            return free;
        }
    }

    /**
     * Runs it.
     *
     * @param faults that are looked at, behind as many again that are not
     * @param seed   of chance
     * @return what came of it
     */
    public Result run(int faults, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        Server[] pagers = servers(clients);
        Server[] links = servers(clients);
        Server[] cluster = servers(nodes);
        PriorityQueue<Arrival> arrivals = new PriorityQueue<>();
        for (int thread = 0; thread < clients * threads; thread++) {
            arrivals.add(new Arrival(exponential(random, compute), thread, 0, 0));
        }
        double[] latencies = new double[faults];
        double began = 0;
        double[] busyBefore = new double[3];
        double now = 0;
        for (int done = -faults; done < faults; ) {
            Arrival a = arrivals.remove();
            now = a.time;
            if (a.stage == STAGES) {
                if (done >= 0) {
                    latencies[done] = now - a.began;
                }
                if (++done == 0) {
                    began = now;
                    busyBefore = busy(pagers, links, cluster);
                }
                arrivals.add(new Arrival(now + exponential(random, compute), a.thread, 0, 0));
                continue;
            }
            int client = a.thread / threads;
            Server server = switch (a.stage) {
                case 0, 4 -> pagers[client];
                case 1, 3 -> links[client];
                default -> cluster[random.nextInt(nodes)];
            };
            double end = server.serve(now, exponential(random, cost(a.stage)));
            arrivals.add(new Arrival(end, a.thread, a.stage + 1, a.stage == 0 ? now : a.began));
        }
        Arrays.sort(latencies);
        double[] busy = busy(pagers, links, cluster);
        double time = now - began;
        return new Result(
                faults / time,
                latencies[faults / 2],
                latencies[(int) (faults * 0.99)],
                (busy[0] - busyBefore[0]) / time / clients,
                (busy[1] - busyBefore[1]) / time / clients,
                (busy[2] - busyBefore[2]) / time / nodes);
    }

    private double cost(int stage) {
        return switch (stage) {
            case 0, 4 -> costs.pager() / HALVES;
            case 1, 3 -> costs.link() / HALVES;
            default -> costs.node();
        };
    }

    /** Faults a second that no load can exceed: the slowest of all pagers, all links and all nodes. */
    public double bound() {
        return Math.min(clients / Math.max(costs.pager(), costs.link()), nodes / costs.node());
    }

    private static Server[] servers(int count) {
        Server[] servers = new Server[count];
        Arrays.setAll(servers, i -> new Server());
        return servers;
    }

    private static double[] busy(Server[]... kinds) {
        return Arrays.stream(kinds)
                .mapToDouble(
                        kind -> Arrays.stream(kind).mapToDouble(s -> s.busy).sum())
                .toArray();
    }

    private static double exponential(SplittableRandom random, double mean) {
        return -mean * Math.log1p(-random.nextDouble());
    }
}
