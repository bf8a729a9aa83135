package upa.apps;

import java.util.List;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.workload.Workload;

/** A line of results.csv, and an object of results.json: a run. */
record Row(
        String workload,
        String kind,
        String contestant,
        int round,
        boolean ok,
        long wallNs,
        long userNs,
        long systemNs,
        long minorFaults,
        long majorFaults,
        long peakBytes,
        long meanBytes,
        int processes,
        double throughput,
        double p50Ns,
        double p99Ns,
        String problem) {

    /** A row for each run that is no warm-up, by workload. */
    static List<Row> of(Results results) {
        return results.workloads().stream()
                .flatMap(workload -> results.runs().stream()
                        .filter(run -> run.workload().equals(workload.name()))
                        .map(run -> of(workload, run)))
                .toList();
    }

    private static Row of(Workload workload, Run run) {
        return new Row(
                run.workload(),
                workload.kind().id(),
                run.contestant(),
                run.round(),
                run.isGood(),
                run.wallNs(),
                run.userNs(),
                run.systemNs(),
                run.minorFaults(),
                run.majorFaults(),
                run.peakBytes(),
                run.meanBytes(),
                run.processes(),
                run.throughput(),
                run.p50Ns(),
                run.p99Ns(),
                run.isGood() ? "" : run.problem());
    }
}
