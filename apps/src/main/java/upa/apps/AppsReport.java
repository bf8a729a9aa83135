package upa.apps;

import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import upa.bench.Figures.Figure;
import upa.bench.ReportBuilder;
import upa.bench.report.Report;
import upa.bench.report.Report.Block;
import upa.bench.report.Report.Cell;
import upa.bench.report.Report.Chart;
import upa.bench.report.Report.Highlight;
import upa.bench.report.Report.Mark;
import upa.bench.report.Report.Point;
import upa.bench.report.Report.Reference;
import upa.bench.report.Report.Section;
import upa.bench.report.Report.Series;
import upa.bench.report.Report.Table;
import upa.bench.report.Report.Text;
import upa.bench.report.Report.Unit;
import upa.bench.report.Units;
import upa.bench.stats.Interval;

/** Turns the runs of real programs into the report. */
final class AppsReport {

    private static final List<Reference> PAR = List.of(new Reference(1, "as under glibc"));
    private static final String FAILED = "failed";
    /** Closer to 1 than this is shown as 1, and so not marked as a difference. */
    private static final double SAME = 0.005;
    /** As many contestants fit a table; of more it shows the main ones, and a table of all is folded. */
    private static final int TABLE = 7;

    private final Results results;
    private final List<Contestant> contestants;
    private final Profiler profiler;
    private final Mallocs mallocs;
    private final Path libraries;

    private AppsReport(Results results, List<Contestant> contestants, Profiler profiler, Mallocs mallocs, Path libraries) {
        this.results = results;
        this.mallocs = mallocs;
        this.libraries = libraries;
        this.contestants = contestants.stream().filter(c -> results.has(c.name())).toList();
        this.profiler = profiler;
    }

    static Report build(
            Results results,
            List<Contestant> contestants,
            Profiler profiler,
            Mallocs mallocs,
            Path libraries,
            Map<String, String> machine,
            Map<String, String> method,
            List<String> notes) {
        return new AppsReport(results, contestants, profiler, mallocs, libraries).report(machine, method, notes);
    }

    static Map<String, String> method(Settings settings, String warmth, double durationNs, double load) {
        Map<String, String> method = new LinkedHashMap<>();
        method.put(
                "Date",
                ZonedDateTime.now(ZoneOffset.UTC)
                                .format(DateTimeFormatter.ISO_LOCAL_DATE_TIME)
                                .substring(0, 16)
                                .replace('T', ' ')
                        + " UTC");
        method.put(
                "Rounds",
                settings.rounds()
                        + (settings.mostRounds() == settings.rounds()
                                ? ""
                                : " to " + settings.mostRounds() + " (more than the least of those whose interval is wider than 4 % and"
                                        + " than its distance from 1)")
                        + ", in each the programs in a new random order and the contestants of a program in a random"
                        + " order, one right after the other; one run of each program before, dropped; seed " + settings.seed());
        method.put("Duration", Units.time(durationNs) + (settings.resume() ? ", without the runs resumed" : ""));
        method.put("Time", "of a program from its start to its end; of a server, that of the load, without start and end");
        method.put("Memory", warmth);
        method.put(
                "Peak memory",
                "of a single process the kernel's record; of several the greatest sum of proportional set sizes, looked at every"
                        + " 10 ms or, if that would take more than 2 % of a processor, less often");
        method.put(
                "CPU time, faults", "of all processes of the program, those it started too; of a server from its start to its end");
        method.put("Load after", Units.digits(load));
        return method;
    }

    private Report report(Map<String, String> machine, Map<String, String> method, List<String> notes) {
        List<Figure> figures = AppsFigures.of(results);
        List<Section> sections = new ArrayList<>();
        sections.add(speed());
        sections.add(memory());
        if (results.workloads().stream().anyMatch(w -> profiler.share(w, Contestant.BASE).isPresent())) {
            sections.add(kernel());
        }
        if (results.workloads().stream().anyMatch(w -> w.server().isPresent())) {
            sections.add(servers());
        }
        sections.add(programs());
        sections.add(ReportBuilder.figures(figures));
        sections.add(conditions(machine, method, notes));
        return new Report(
                "Real programs on user-mode pages",
                List.of(
                        "UPA lets a program keep the pages it has freed and allocate them itself, instead of asking the kernel"
                                + " each time. This page says what that does for programs that people use, unchanged, on one"
                                + " machine, in one run: under libc's malloc, under the allocators people would otherwise pick, as"
                                + " shipped and set to keep all their memory, and on UPA.",
                        "A ratio such as 1.2x says how many times as fast as under plain glibc. The range behind it holds the"
                                + " true value with 95 % confidence: ratios are computed round by round and resampled (bootstrap)."
                                + " Where the range includes 1, the difference is within the noise, and marked ~; so is less than 0.5 %."),
                highlights(),
                sections);
    }

    private List<Highlight> highlights() {
        List<Highlight> out = new ArrayList<>();
        List<Workload> all = results.workloads();
        results.speedUp(all, Contestant.BASE, Contestant.UPA)
                .ifPresent(r -> out.add(new Highlight(
                        Units.ratio(r.estimate()), "as fast as under glibc, geometric mean over " + all.size() + " programs")));
        results.speedUpOverBest(all, Contestant.UPA)
                .ifPresent(r -> out.add(new Highlight(
                        Units.ratio(r.estimate()), "as fast as under the best allocator that keeps all memory, chosen per program")));
        results.ratio(all, Contestant.UPA, Contestant.BASE, Run::peakBytes)
                .ifPresent(r -> out.add(
                        new Highlight(Units.ratio(r.estimate()), "the peak memory of glibc, geometric mean")));
        return out;
    }

    // Speed

    private Section speed() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text("Seen", seen()));
        blocks.add(speedTable("Times as fast as under glibc (servers: requests per second)", false, shown()));
        if (shown().size() < contestants.size()) {
            blocks.add(speedTable("Times as fast as under glibc, all contestants", true, contestants));
        }
        if (pairs().stream().anyMatch(p -> !p.getKey().equals(Contestant.BASE))) {
            blocks.add(pairTable());
        }
        blocks.add(chart(
                "Times as fast as under glibc",
                "to the right is better; lines are 95 % intervals",
                (w, c) -> results.speedUp(w, Contestant.BASE, c.name())));
        blocks.add(cpuTable());
        blocks.add(details());
        return new Section("speed", "Speed by program and contestant", blocks);
    }

    private List<Contestant> shown() {
        return contestants.size() <= TABLE
                ? contestants
                : contestants.stream().filter(c -> Contestant.MAIN.contains(c.name())).toList();
    }

    private List<Map.Entry<String, String>> pairs() {
        return Contestant.PAIRS.entrySet().stream()
                .filter(p -> results.has(p.getKey()) && results.has(p.getValue()))
                .toList();
    }

    private String seen() {
        List<String> faster = new ArrayList<>();
        List<String> slower = new ArrayList<>();
        List<String> noise = new ArrayList<>();
        List<String> once = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            results.speedUp(workload, Contestant.BASE, Contestant.UPA)
                    .ifPresent(r -> (r.low() == r.high() ? once : r.low() > 1 ? faster : r.high() < 1 ? slower : noise)
                            .add(workload.name()));
        }
        List<String> statements = new ArrayList<>();
        results.speedUp(results.workloads(), Contestant.BASE, Contestant.UPA)
                .ifPresent(r -> statements.add("on UPA programs run " + Units.ratio(r) + " as fast as under glibc in the"
                        + " geometric mean"));
        results.speedUpOverBest(results.workloads(), Contestant.UPA)
                .ifPresent(r -> statements.add(Units.ratio(r) + " against whichever allocator that keeps all memory is best at each (in the other rounds)"));
        group(true).ifPresent(r -> statements.add(
                "where page allocation was expected to matter " + Units.ratio(r)));
        group(false).ifPresent(r -> statements.add("where it was expected to matter little " + Units.ratio(r)));
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
                Contestant.BASE,
                Contestant.UPA);
    }

    private static String names(List<String> names) {
        return names.isEmpty() ? "none" : String.join(", ", names);
    }

    private Table speedTable(String caption, boolean detail, List<Contestant> among) {
        List<Contestant> others =
                among.stream().filter(c -> !c.name().equals(Contestant.BASE)).toList();
        List<String> header = new ArrayList<>(List.of("program", Contestant.BASE));
        others.forEach(c -> header.add(c.name()));
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(workload.name()), absolute(workload)));
            others.forEach(c -> row.add(speedUp(workload, Contestant.BASE, c.name())));
            rows.add(row);
        }
        List<Cell> means = new ArrayList<>(List.of(Cell.of("geometric mean"), Cell.of("")));
        others.forEach(c -> means.add(cell(results.speedUp(results.workloads(), Contestant.BASE, c.name()), true)));
        rows.add(means);
        return new Table(caption, detail, header, rows);
    }

    /** Less sensitive than wall time to others who use the machine; but of a server not per request. */
    private Table cpuTable() {
        List<Contestant> others =
                contestants.stream().filter(c -> !c.name().equals(Contestant.BASE)).toList();
        List<String> header = new ArrayList<>(List.of("program", Contestant.BASE));
        others.forEach(c -> header.add(c.name()));
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            List<Cell> row =
                    new ArrayList<>(List.of(Cell.of(workload.name()), text(workload, Contestant.BASE, Run::cpuNs, Units::time)));
            others.forEach(c -> row.add(cell(results.ratio(workload, c.name(), Contestant.BASE, Run::cpuNs), false)));
            rows.add(row);
        }
        List<Cell> means = new ArrayList<>(List.of(Cell.of("geometric mean"), Cell.of("")));
        others.forEach(
                c -> means.add(cell(results.ratio(results.workloads(), c.name(), Contestant.BASE, Run::cpuNs), false)));
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
            pairs.forEach(p -> row.add(speedUp(workload, p.getKey(), p.getValue())));
            rows.add(row);
        }
        return new Table("What UPA under an allocator does: times as fast as the same allocator without", false, header, rows);
    }

    private Cell absolute(Workload workload) {
        if (results.problem(workload, Contestant.BASE).isPresent()) {
            return new Cell(FAILED, Mark.BAD);
        }
        return Cell.of(workload.server().isPresent()
                ? results.median(workload, Contestant.BASE, Run::throughput)
                        .map(t -> Units.digits(t) + "/s")
                        .orElse("")
                : results.median(workload, Contestant.BASE, Run::wallNs).map(Units::time).orElse(""));
    }

    private Cell speedUp(Workload workload, String base, String contestant) {
        if (results.problem(workload, contestant).isPresent()) {
            return new Cell(FAILED, Mark.BAD);
        }
        return cell(results.speedUp(workload, base, contestant), true);
    }

    /** A ratio, marked: better, worse, or ~ within the noise; of a single round nothing is known of the noise. */
    private static Cell cell(Optional<Interval> ratio, boolean moreIsBetter) {
        if (ratio.isEmpty()) {
            return Cell.of("");
        }
        Interval r = ratio.get();
        if (r.low() == r.high()) {
            return Cell.of(Units.ratio(r));
        }
        if (r.low() <= 1 && r.high() >= 1 || Math.abs(r.estimate() - 1) < SAME) {
            return Cell.of("~" + Units.ratio(r));
        }
        return new Cell(Units.ratio(r), r.low() > 1 == moreIsBetter ? Mark.GOOD : Mark.BAD);
    }

    private Table details() {
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            for (Contestant contestant : contestants) {
                String c = contestant.name();
                Optional<String> problem = results.problem(workload, c);
                rows.add(List.of(
                        Cell.of(workload.name()),
                        Cell.of(c),
                        problem.isPresent() ? new Cell(FAILED, Mark.BAD) : text(workload, c, Run::wallNs, Units::time),
                        text(workload, c, Run::userNs, Units::time),
                        text(workload, c, Run::systemNs, Units::time),
                        text(workload, c, Run::minorFaults, Units::digits),
                        text(workload, c, Run::majorFaults, Units::digits),
                        text(workload, c, Run::peakBytes, Units::bytes),
                        text(workload, c, Run::processes, Units::digits)));
            }
        }
        return new Table(
                "Medians of all rounds",
                true,
                List.of("program", "contestant", "wall", "user", "system", "minor faults", "major faults", "peak", "processes"),
                rows);
    }

    private Cell text(
            Workload workload,
            String contestant,
            java.util.function.ToDoubleFunction<Run> what,
            Function<Double, String> show) {
        return Cell.of(results.median(workload, contestant, what).map(show).orElse(""));
    }

    // Memory

    private Section memory() {
        List<String> header = new ArrayList<>(List.of("program", Contestant.BASE));
        List<Contestant> shown = shown().stream().filter(c -> !c.name().equals(Contestant.BASE)).toList();
        shown.forEach(c -> header.add(c.name()));
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            List<Cell> row = new ArrayList<>(List.of(
                    Cell.of(workload.name()),
                    Cell.of(results.median(workload, Contestant.BASE, Run::peakBytes)
                            .map(Units::bytes)
                            .orElse(""))));
            shown.forEach(c -> row.add(cell(results.ratio(workload, c.name(), Contestant.BASE, Run::peakBytes), false)));
            rows.add(row);
        }
        List<Cell> means = new ArrayList<>(List.of(Cell.of("geometric mean"), Cell.of("")));
        shown.forEach(c ->
                means.add(cell(results.ratio(results.workloads(), c.name(), Contestant.BASE, Run::peakBytes), false)));
        rows.add(means);
        return new Section(
                "memory",
                "Peak memory",
                List.of(
                        new Table("Peak resident memory, times that under glibc", false, header, rows),
                        chart(
                                "Peak resident memory, times that under glibc",
                                "to the left is better",
                                (w, c) -> results.ratio(w, c.name(), Contestant.BASE, Run::peakBytes))));
    }

    // The kernel's work

    private Section kernel() {
        List<String> categories = new ArrayList<>();
        List<Point> before = new ArrayList<>();
        List<Point> after = new ArrayList<>();
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            Optional<KernelShare> base = profiler.share(workload, Contestant.BASE);
            Optional<KernelShare> upa = profiler.share(workload, Contestant.UPA);
            if (base.isEmpty()) {
                continue;
            }
            int x = categories.size();
            categories.add(workload.name());
            before.add(point(x, Interval.exact(base.get().share())));
            upa.ifPresent(s -> after.add(point(x, Interval.exact(s.share()))));
            for (String contestant : List.of(Contestant.BASE, Contestant.UPA)) {
                profiler.share(workload, contestant).ifPresent(s -> rows.add(shareRow(workload, contestant, s)));
            }
        }
        List<String> header = new ArrayList<>(List.of("program", "on", "all"));
        for (KernelShare.Work work : KernelShare.Work.values()) {
            header.add(work.title());
        }
        header.add("samples");
        return new Section(
                "kernel",
                "What the kernel does about memory",
                List.of(
                        new Text(
                                "Measured",
                                "One run each under perf record (timer samples of the call chains of all processes, 997 a second),"
                                        + " apart from the runs that are timed. A sample counts as work on memory if its chain in the"
                                        + " kernel goes through a page fault, munmap, mremap, madvise, mmap, mprotect, brk, the copy"
                                        + " of page tables by fork, or the end of an address space."),
                        new Table("Share of all samples, percent", false, header, rows),
                        new Chart(
                                "Share of the time that the kernel works on memory, before (glibc) and after (UPA)",
                                "to the left is better",
                                categories,
                                Unit.SHARE,
                                List.of(
                                        new Series(Contestant.BASE, colour(Contestant.BASE), before),
                                        new Series(Contestant.UPA, colour(Contestant.UPA), after)),
                                List.of())));
    }

    private static List<Cell> shareRow(Workload workload, String contestant, KernelShare share) {
        List<Cell> row = new ArrayList<>(List.of(
                Cell.of(workload.name()), Cell.of(contestant), Cell.of(Units.digits(100 * share.share()))));
        for (KernelShare.Work work : KernelShare.Work.values()) {
            row.add(Cell.of(Units.digits(100 * share.share(work))));
        }
        row.add(Cell.of(Long.toString(share.total())));
        return row;
    }

    // Servers

    private Section servers() {
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            if (workload.server().isEmpty()) {
                continue;
            }
            for (Contestant contestant : contestants) {
                String c = contestant.name();
                rows.add(List.of(
                        Cell.of(workload.name()),
                        Cell.of(c),
                        results.problem(workload, c).isPresent()
                                ? new Cell(FAILED, Mark.BAD)
                                : text(workload, c, Run::throughput, Units::digits),
                        c.equals(Contestant.BASE) ? Cell.of("base line") : speedUp(workload, Contestant.BASE, c),
                        text(workload, c, Run::p50Ns, Units::time),
                        text(workload, c, Run::p99Ns, Units::time),
                        text(workload, c, Run::cpuNs, Units::time)));
            }
        }
        return new Section(
                "servers",
                "Servers",
                List.of(new Table(
                        "As their load generator sees them (medians)",
                        false,
                        List.of("program", "contestant", "requests/s", "times glibc", "p50", "p99", "CPU time"),
                        rows)));
    }

    // Programs

    private Section programs() {
        List<Block> blocks = new ArrayList<>();
        for (boolean matters : List.of(true, false)) {
            List<Workload> group = results.workloads().stream()
                    .filter(w -> w.pageAllocationMatters() == matters)
                    .toList();
            if (!group.isEmpty()) {
                blocks.add(new Text(
                        "",
                        matters
                                ? "Programs to which page allocation was expected to matter:"
                                : "Programs to which it was expected to matter little, where UPA must not hurt:"));
            }
            for (Workload workload : group) {
                blocks.add(new Text(
                        workload.name(),
                        workload.title() + ". "
                                + Explanation.of(
                                                results,
                                                workload,
                                                profiler.pages(workload),
                                                profiler.share(workload, Contestant.BASE),
                                                profiler.share(workload, Contestant.UPA))
                                        .orElse("Not measured well under both glibc and UPA.")
                                + whoseMalloc(workload)));
            }
        }
        return new Section("programs", "Program by program: why it gains, or not", blocks);
    }

    private String whoseMalloc(Workload workload) {
        StringBuilder text = new StringBuilder();
        List<String> programs = results.programs(workload);
        mallocs.unusual(programs)
                .forEach((program, says) -> text.append(programs.size() == 1 ? " It " : " " + program + " ").append(says).append("."));
        return text.toString();
    }

    private Section conditions(Map<String, String> machine, Map<String, String> method, List<String> notes) {
        List<Block> blocks = new ArrayList<>();
        blocks.add(ReportBuilder.table("The machine", machine));
        blocks.add(ReportBuilder.table("The run", method));
        Map<String, String> who = new LinkedHashMap<>();
        contestants.forEach(c -> who.put(
                c.name(),
                c.description()
                        + mallocs.of(c, libraries).map(file -> "; malloc of " + file).orElse("")
                        + (c.environment().isEmpty() ? "" : "; " + c.environment())));
        blocks.add(ReportBuilder.table("The contestants", who));
        notes.forEach(note -> blocks.add(new Text("Note", note)));
        return new Section("conditions", "Machine and method", blocks);
    }

    // Charts

    private interface Ratio {
        Optional<Interval> of(Workload workload, Contestant contestant);
    }

    private Chart chart(String title, String note, Ratio ratio) {
        List<Workload> workloads = results.workloads();
        List<Series> series = new ArrayList<>();
        for (Contestant contestant : contestants) {
            if (contestant.name().equals(Contestant.BASE)) {
                continue;
            }
            List<Point> points = new ArrayList<>();
            for (int i = 0; i < workloads.size(); i++) {
                int x = i;
                ratio.of(workloads.get(i), contestant).ifPresent(r -> points.add(point(x, r)));
            }
            series.add(new Series(contestant.name(), contestant.colour(), points));
        }
        return new Chart(title, note, workloads.stream().map(Workload::name).toList(), Unit.RATIO, series, PAR);
    }

    private static Point point(int x, Interval i) {
        return new Point(x, i.estimate(), i.low(), i.high());
    }

    private static String colour(String contestant) {
        return Contestant.all().stream()
                .filter(c -> c.name().equals(contestant))
                .findFirst()
                .orElseThrow()
                .colour();
    }
}
