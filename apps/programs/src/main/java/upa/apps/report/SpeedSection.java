package upa.apps.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Mark;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Units;
import upa.measure.stats.Interval;

/** How fast each program is under each contestant. */
final class SpeedSection {

    private final Ratios ratios;
    private final Results results;

    private SpeedSection(Ratios ratios) {
        this.ratios = ratios;
        results = ratios.results();
    }

    static Section of(Ratios ratios) {
        return new SpeedSection(ratios).section();
    }

    private Section section() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text("Seen", seen()));
        blocks.add(speedTable("Times as fast as under glibc (servers: requests per second)", false, ratios.shown()));
        if (ratios.shown().size() < ratios.contestants().size()) {
            blocks.add(speedTable("Times as fast as under glibc, all contestants", true, ratios.contestants()));
        }
        if (pairs().stream().anyMatch(p -> !p.getKey().equals(Allocators.BASE))) {
            blocks.add(pairTable());
        }
        blocks.add(ratios.chart(
                "Times as fast as under glibc",
                "to the right is better; lines are 95 % intervals",
                (w, c) -> results.speedUp(w, Allocators.BASE, c.name())));
        blocks.add(cpuTable());
        blocks.add(details());
        return new Section("speed", "Speed by program and contestant", blocks);
    }

    private List<Map.Entry<String, String>> pairs() {
        return Allocators.PAIRS.entrySet().stream()
                .filter(p -> results.has(p.getKey()) && results.has(p.getValue()))
                .toList();
    }

    private String seen() {
        List<String> faster = new ArrayList<>();
        List<String> slower = new ArrayList<>();
        List<String> noise = new ArrayList<>();
        List<String> once = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            results.speedUp(workload, Allocators.BASE, Allocators.UPA)
                    .ifPresent(r -> (r.low() == r.high()
                                    ? once
                                    : results.isNoise(workload, Allocators.UPA)
                                            ? noise
                                            : r.low() > 1 ? faster : r.high() < 1 ? slower : noise)
                            .add(workload.name()));
        }
        List<String> statements = new ArrayList<>();
        results.speedUp(results.workloads(), Allocators.BASE, Allocators.UPA)
                .ifPresent(r -> statements.add("on UPA programs run " + Units.ratio(r)
                        + " as fast as under glibc in the" + " geometric mean"));
        results.speedUpOverBest(results.workloads(), Allocators.UPA)
                .ifPresent(r -> statements.add(Units.ratio(r)
                        + " against whichever allocator that keeps all memory is best at each (in the other rounds)"));
        group(true).ifPresent(r -> statements.add("where page allocation was expected to matter " + Units.ratio(r)));
        group(false).ifPresent(r -> statements.add("where it was expected to matter little " + Units.ratio(r)));
        results.speedUp(results.workloads(), Allocators.BASE, Allocators.CONTROL)
                .ifPresent(r -> statements.add("glibc, run once more under another name, " + Units.ratio(r)));
        statements.add("faster: " + names(faster));
        statements.add("slower: " + names(slower));
        statements.add("within the noise: " + names(noise));
        if (!once.isEmpty()) {
            statements.add("of a single round, so that nothing is known of the noise: " + names(once));
        }
        return String.join("; ", statements) + ".";
    }

    private Optional<Interval> group(boolean matters) {
        return results.speedUp(
                results.workloads().stream()
                        .filter(w -> w.pageAllocationMatters() == matters)
                        .toList(),
                Allocators.BASE,
                Allocators.UPA);
    }

    private static String names(List<String> names) {
        return names.isEmpty() ? "none" : String.join(", ", names);
    }

    private Table speedTable(String caption, boolean detail, List<Allocator> among) {
        List<Allocator> others =
                among.stream().filter(c -> !c.name().equals(Allocators.BASE)).toList();
        List<String> header = new ArrayList<>(List.of("program", Allocators.BASE));
        others.forEach(c -> header.add(c.name()));
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(workload.name()), absolute(workload)));
            others.forEach(c -> row.add(ratios.speedUp(workload, Allocators.BASE, c.name())));
            rows.add(row);
        }
        List<Cell> means = new ArrayList<>(List.of(Cell.of("geometric mean"), Cell.of("")));
        others.forEach(
                c -> means.add(Ratios.cell(results.speedUp(results.workloads(), Allocators.BASE, c.name()), true)));
        rows.add(means);
        return new Table(caption, detail, header, rows);
    }

    /** Less sensitive than wall time to others who use the machine; but of a server not per request. */
    private Table cpuTable() {
        List<Allocator> others = ratios.others();
        List<String> header = new ArrayList<>(List.of("program", Allocators.BASE));
        others.forEach(c -> header.add(c.name()));
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            List<Cell> row = new ArrayList<>(
                    List.of(Cell.of(workload.name()), ratios.text(workload, Allocators.BASE, Run::cpuNs, Units::time)));
            others.forEach(
                    c -> row.add(Ratios.cell(results.ratio(workload, c.name(), Allocators.BASE, Run::cpuNs), false)));
            rows.add(row);
        }
        List<Cell> means = new ArrayList<>(List.of(Cell.of("geometric mean"), Cell.of("")));
        others.forEach(c -> means.add(
                Ratios.cell(results.ratio(results.workloads(), c.name(), Allocators.BASE, Run::cpuNs), false)));
        rows.add(means);
        return new Table("CPU time, user and kernel, times that under glibc (less is better)", true, header, rows);
    }

    /** Each allocator with UPA against the same without. */
    private Table pairTable() {
        List<Map.Entry<String, String>> pairs = pairs();
        List<String> header = new ArrayList<>(List.of("program"));
        pairs.forEach(p -> header.add(p.getKey()));
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(workload.name())));
            pairs.forEach(p -> row.add(ratios.speedUp(workload, p.getKey(), p.getValue())));
            rows.add(row);
        }
        return new Table(
                "What UPA under an allocator does: times as fast as the same allocator without", false, header, rows);
    }

    private Cell absolute(Workload workload) {
        if (results.problem(workload, Allocators.BASE).isPresent()) {
            return new Cell(Ratios.FAILED, Mark.BAD);
        }
        return Cell.of(
                workload.server().isPresent()
                        ? results.median(workload, Allocators.BASE, Run::throughput)
                                .map(t -> Units.digits(t) + "/s")
                                .orElse("")
                        : results.median(workload, Allocators.BASE, Run::wallNs)
                                .map(Units::time)
                                .orElse(""));
    }

    private Table details() {
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            for (Allocator contestant : ratios.contestants()) {
                String c = contestant.name();
                Optional<String> problem = results.problem(workload, c);
                rows.add(List.of(
                        Cell.of(workload.name()),
                        Cell.of(c),
                        problem.isPresent()
                                ? new Cell(Ratios.FAILED, Mark.BAD)
                                : ratios.text(workload, c, Run::wallNs, Units::time),
                        ratios.text(workload, c, Run::userNs, Units::time),
                        ratios.text(workload, c, Run::systemNs, Units::time),
                        ratios.text(workload, c, Run::minorFaults, Units::digits),
                        ratios.text(workload, c, Run::majorFaults, Units::digits),
                        ratios.text(workload, c, Run::peakBytes, Units::bytes),
                        ratios.text(workload, c, Run::processes, Units::digits)));
            }
        }
        return new Table(
                "Medians of all rounds",
                true,
                List.of(
                        "program",
                        "contestant",
                        "wall",
                        "user",
                        "system",
                        "minor faults",
                        "major faults",
                        "peak",
                        "processes"),
                rows);
    }
}
