package upa.bench.report;

import static upa.bench.report.Lookup.KERNEL;
import static upa.bench.report.Lookup.UPA;
import static upa.bench.report.Lookup.line;

import java.util.ArrayList;
import java.util.List;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements.Line;
import upa.measure.report.Report.Block;
import upa.measure.report.Units;

/** Experiment h: the requests of real programs, from their traces. */
final class ReplaySection {

    private static final String PHASE = "replay";

    private ReplaySection() {}

    static List<Block> blocks(Lookup lookup, Blocks make) {
        List<String> traces = lookup.variants(Experiment.REPLAY);
        List<Block> blocks = new ArrayList<>();
        blocks.add(Statements.seen(traces.stream().map(trace -> java.util.Optional.of(statement(lookup, trace)))));
        traces.forEach(trace -> blocks.addAll(RingBlocks.of(lookup, make, Experiment.REPLAY, trace, PHASE, KERNEL)));
        return blocks;
    }

    private static String statement(Lookup lookup, String trace) {
        Line any = lookup.lines(Experiment.REPLAY, trace, PHASE).getFirst();
        String peak = lookup.measurements()
                .fact(any, "trace_peak_bytes")
                .map(Units::bytes)
                .orElse("?");
        return trace + ": " + lookup.number(any, "trace_blocks") + " blocks, " + lookup.number(any, "trace_resizes")
                + " resizes, at most " + peak + " live; left out: " + lookup.number(any, "trace_purges_left_out")
                + " purges, " + lookup.number(any, "trace_parts_left_out") + " unmaps of a part, "
                + lookup.number(any, "trace_others_left_out") + " other calls, the touches of "
                + lookup.number(any, "trace_untouched_blocks") + " blocks"
                + lookup.measurements()
                        .meanRatio(
                                line(Experiment.REPLAY, KERNEL, trace, PHASE),
                                line(Experiment.REPLAY, UPA, trace, PHASE),
                                0)
                        .map(r -> "; UPA cleared is " + Units.ratio(r) + " as fast as the kernel")
                        .orElse("");
    }
}
