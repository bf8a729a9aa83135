package upa.bench.report;

import static upa.bench.report.Lookup.line;
import static upa.bench.report.Statements.seen;
import static upa.bench.report.Statements.spread;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements;
import upa.bench.results.Measurements.Line;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Table;
import upa.measure.report.Units;

/** Experiment c: malloc on either mmap, and its rivals. */
final class MallocSection {

    static final String DL_KERNEL = "dlmalloc-kernel";
    static final String DL_UPA = "dlmalloc-upa-uncleared";
    private static final String DLMALLOC = "dlmalloc";

    private final Lookup lookup;
    private final Measurements measurements;

    private MallocSection(Lookup lookup) {
        this.lookup = lookup;
        measurements = lookup.measurements();
    }

    static List<Block> blocks(Lookup lookup, Blocks make) {
        return new MallocSection(lookup).blocks(make);
    }

    private List<Block> blocks(Blocks make) {
        Line base = line(Experiment.MALLOC, DL_KERNEL, "", "warm");
        Line upa = line(Experiment.MALLOC, DL_UPA, "", "warm");
        List<Line> lines = lookup.lines(Experiment.MALLOC, "", "warm");
        List<Block> blocks = new ArrayList<>();
        blocks.add(seen(Stream.of(
                spread(
                        measurements,
                        "dlmalloc on UPA against dlmalloc on the kernel, from 1 MiB",
                        base,
                        upa,
                        Units.MIB),
                spread(measurements, "at all sizes", base, upa),
                rivals(upa, lines))));
        List<List<Cell>> rows = new ArrayList<>();
        for (long size : lookup.sizes(lines)) {
            Optional<Line> rival = lines.stream()
                    .filter(l -> !l.contestant().startsWith(DLMALLOC))
                    .filter(l -> measurements.median(l, size).isPresent())
                    .min(Comparator.comparingDouble(
                            l -> measurements.median(l, size).orElseThrow()));
            rows.add(List.of(
                    Cell.of(Units.bytes(size)),
                    Cell.of(lookup.time(base, size)),
                    Cell.of(lookup.time(upa, size)),
                    make.ratio(base, upa, size),
                    Cell.of(rival.map(l -> l.contestant() + " " + lookup.time(l, size))
                            .orElse("")),
                    rival.map(l -> make.ratio(l, upa, size)).orElse(Cell.of(""))));
        }
        blocks.add(new Table(
                "Median time of free + malloc + touch, and how many times faster dlmalloc is on UPA",
                false,
                List.of("block size", DL_KERNEL, DL_UPA, "faster", "fastest rival", "UPA is faster"),
                rows));
        blocks.add(make.timeChart("Time of one operation by block size", "lower is better", lines));
        blocks.add(make.ratioChart("Times faster than dlmalloc on the kernel", "higher is better", base, lines));
        blocks.addAll(make.details("warm", base, lines));
        for (String sampler : lookup.variants(Experiment.MALLOC)) {
            blocks.addAll(RingBlocks.of(lookup, make, Experiment.MALLOC, sampler, "warm", DL_KERNEL));
        }
        return blocks;
    }

    /** Which rivals are faster than dlmalloc on UPA, and where. */
    private Optional<String> rivals(Line upa, List<Line> lines) {
        if (lines.stream().allMatch(l -> l.contestant().startsWith(DLMALLOC))) {
            return Optional.empty();
        }
        int sizes = measurements.sizes(upa).size();
        String losses = lines.stream()
                .filter(l -> !l.contestant().startsWith(DLMALLOC))
                .filter(l -> faster(l, upa) > 0)
                .map(l -> l.contestant() + " at " + faster(l, upa) + " of " + sizes + " sizes")
                .collect(Collectors.joining(", "));
        return Optional.of(
                losses.isEmpty() ? "no rival is faster at any size" : "faster than dlmalloc on UPA are: " + losses);
    }

    /** At how many sizes a rival surely is faster. */
    private long faster(Line rival, Line upa) {
        return measurements.sizes(upa).stream()
                .filter(s -> measurements
                        .ratio(rival, upa, s)
                        .filter(r -> r.high() < 1)
                        .isPresent())
                .count();
    }
}
