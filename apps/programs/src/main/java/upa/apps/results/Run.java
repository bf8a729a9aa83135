package upa.apps.results;

import java.util.List;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocator;

/**
 * What one run of a program took: a line of runs.jsonl.
 *
 * @param workload name
 * @param digest of the workload's files
 * @param contestant name
 * @param round from 0; -1 for the warm-up, which counts for nothing but its output
 * @param problem why it does not count; null if it does
 * @param wallNs duration; of a server that of the load
 * @param userNs CPU time in user mode, of all processes
 * @param systemNs CPU time in the kernel, of all processes
 * @param minorFaults page faults without input, of all processes
 * @param majorFaults page faults with input, of all processes
 * @param peakBytes greatest resident memory of all processes together
 * @param memory held over time
 * @param processes most at once
 * @param throughput of a server, in requests per second; else 0
 * @param p50Ns median latency of a server; 0 if unknown
 * @param p99Ns 99th percentile of a server's latency; 0 if unknown
 * @param programs its processes ran, as far as they were seen: paths
 * @param output SHA-256 of what has to be the same for all contestants
 */
public record Run(
        String workload,
        String digest,
        String contestant,
        int round,
        String problem,
        long wallNs,
        long userNs,
        long systemNs,
        long minorFaults,
        long majorFaults,
        long peakBytes,
        MemoryCourse memory,
        int processes,
        double throughput,
        double p50Ns,
        double p99Ns,
        List<String> programs,
        String output) {

    public static final int WARM_UP = -1;

    /** Lines of earlier versions name no programs and tell nothing of the time between. */
    public Run {
        memory = memory == null ? MemoryCourse.UNKNOWN : memory;
        programs = programs == null ? List.of() : List.copyOf(programs);
    }

    public static Run failed(Workload workload, Allocator contestant, int round, String problem) {
        return new Run(
                workload.name(),
                workload.digest(),
                contestant.name(),
                round,
                problem,
                0,
                0,
                0,
                0,
                0,
                0,
                MemoryCourse.UNKNOWN,
                0,
                0,
                0,
                0,
                List.of(),
                null);
    }

    public Run withProblem(String why) {
        return new Run(
                workload,
                digest,
                contestant,
                round,
                why,
                wallNs,
                userNs,
                systemNs,
                minorFaults,
                majorFaults,
                peakBytes,
                memory,
                processes,
                throughput,
                p50Ns,
                p99Ns,
                programs,
                output);
    }

    /** Mean resident memory over time; 0 if unknown. */
    public long meanBytes() {
        return memory.meanBytes();
    }

    public boolean isGood() {
        return problem == null;
    }

    public boolean isWarmUp() {
        return round == WARM_UP;
    }

    /** More is better: 1 / s, requests per second for a server. */
    public double speed() {
        return throughput > 0 ? throughput : 1e9 / wallNs;
    }

    public long cpuNs() {
        return userNs + systemNs;
    }
}
