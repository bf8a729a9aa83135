package upa.bench.report;

import static upa.bench.report.Lookup.KERNEL;
import static upa.bench.report.Lookup.UNCLEARED;
import static upa.bench.report.Lookup.line;
import static upa.bench.report.Statements.seen;
import static upa.bench.report.Statements.spread;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements;
import upa.bench.results.Measurements.Line;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Table;
import upa.measure.report.Units;

/** Experiment d: doubling a block in place, elsewhere, by copying, and as it comes. */
final class ReallocSection {

    private static final String TOUCHED = "resize-touch";
    private static final String ALONE = "resize";
    private static final List<String> FORCED = List.of("in-place", "relocate", "copy");

    private ReallocSection() {}

    static List<Block> blocks(Lookup lookup, Blocks make) {
        Measurements measurements = lookup.measurements();
        Line copy = line(Experiment.REALLOC, KERNEL, "copy", TOUCHED);
        Line moved = line(Experiment.REALLOC, UNCLEARED, "relocate", TOUCHED);
        List<Block> blocks = new ArrayList<>();
        blocks.add(seen(Stream.of(
                spread(
                        measurements,
                        "in place, against mremap in place",
                        line(Experiment.REALLOC, KERNEL, "in-place", TOUCHED),
                        line(Experiment.REALLOC, UNCLEARED, "in-place", TOUCHED)),
                spread(
                        measurements,
                        "relocated, against mremap",
                        line(Experiment.REALLOC, KERNEL, "relocate", TOUCHED),
                        moved),
                spread(measurements, "relocated, against allocate + memcpy + free of the kernel", copy, moved))));
        List<List<Cell>> rows = new ArrayList<>();
        for (long size : lookup.sizes(lookup.lines(Experiment.REALLOC, "relocate", TOUCHED))) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(Units.bytes(size))));
            for (String mode : FORCED) {
                row.add(make.ratio(
                        line(Experiment.REALLOC, KERNEL, mode, TOUCHED),
                        line(Experiment.REALLOC, UNCLEARED, mode, TOUCHED),
                        size));
            }
            row.add(make.ratio(copy, moved, size));
            rows.add(row);
        }
        blocks.add(new Table(
                "Times faster than the kernel at the same (mremap; mmap + memcpy + munmap), uncleared",
                false,
                List.of("new size", "in place", "relocated", "copied", "relocated against kernel copied"),
                rows));
        for (String mode : Stream.concat(FORCED.stream(), Stream.of("natural")).toList()) {
            List<Line> lines = lookup.lines(Experiment.REALLOC, mode, TOUCHED);
            blocks.add(make.timeChart(title(mode), "lower is better; the size is the one after doubling", lines));
            blocks.addAll(make.details(mode, line(Experiment.REALLOC, KERNEL, mode, TOUCHED), lines));
            List<Line> alone = lookup.lines(Experiment.REALLOC, mode, ALONE);
            blocks.addAll(
                    make.details(mode + ", the call alone", line(Experiment.REALLOC, KERNEL, mode, ALONE), alone));
        }
        return blocks;
    }

    private static String title(String mode) {
        return switch (mode) {
            case "in-place" -> "In place: time to double and touch the new half";
            case "relocate" -> "Relocated: time to double and touch the new half";
            case "copy" -> "Copied: allocate, memcpy, free, and touch the new half";
            default -> "Natural: one block grows step by step; time of a step with the touch";
        };
    }
}
