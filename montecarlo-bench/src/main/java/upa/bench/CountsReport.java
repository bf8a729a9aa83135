package upa.bench;

import static upa.bench.PageCosts.BATCH;
import static upa.bench.PageCosts.FAULT;
import static upa.bench.PageCosts.HUGE_PAGES;
import static upa.bench.PageCosts.KERNEL;
import static upa.bench.PageCosts.POPULATE;
import static upa.bench.PageCosts.RAW_PMD;
import static upa.bench.PageCosts.RAW_PTE;
import static upa.bench.PageCosts.THP;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import upa.bench.report.Report;
import upa.bench.report.Report.Block;
import upa.bench.report.Report.Cell;
import upa.bench.report.Report.Chart;
import upa.bench.report.Report.Highlight;
import upa.bench.report.Report.Mark;
import upa.bench.report.Report.Point;
import upa.bench.report.Report.Section;
import upa.bench.report.Report.Series;
import upa.bench.report.Report.Table;
import upa.bench.report.Report.Text;
import upa.bench.report.Report.Unit;
import upa.bench.report.Units;
import upa.bench.stats.Statistics;

/** Turns instruction counts from the virtual machine into the report of {@code upa vm bench}. */
final class CountsReport {

    private static final double PAGE = 4096;
    private static final long GIB_PAGES = Plan.GIB / 4096;
    private static final String SHOOTDOWN = "shootdown";
    private static final String HARVEST = "harvest_cost";
    private static final List<String> BACKENDS = List.of(KERNEL, POPULATE, THP, FAULT, BATCH, RAW_PTE, RAW_PMD);

    private static final Map<String, String> COLOURS = Map.ofEntries(
            Map.entry(KERNEL, "#d1495b"),
            Map.entry(POPULATE, "#e98a15"),
            Map.entry(THP, "#a06a42"),
            Map.entry(FAULT, "#57a0d3"),
            Map.entry(BATCH, "#2176ae"),
            Map.entry(RAW_PTE, "#1b998b"),
            Map.entry(RAW_PMD, "#7b5ea7"),
            Map.entry("batched", "#2176ae"),
            Map.entry("per-range", "#57a0d3"),
            Map.entry("hull", "#6c757d"),
            Map.entry("madvise", "#d1495b"),
            Map.entry("munmap-like", "#e98a15"));

    private static final Map<String, String> MEANINGS = meanings();

    private final PageCosts costs;
    private final Counts counts;
    private final Optional<PageCosts> host;
    private final Optional<InstructionProfile> profile;
    private final List<MonteCarloCounts.Run> driver;

    private CountsReport(CountsInput input) {
        counts = input.counts();
        costs = new PageCosts(counts);
        host = input.host().map(PageCosts::new);
        profile = input.profile();
        driver = input.driver();
    }

    static Report build(CountsInput input, List<Figures.Figure> figures) {
        return new CountsReport(input).report(input, figures);
    }

    private static Map<String, String> meanings() {
        Map<String, String> out = new LinkedHashMap<>();
        out.put(KERNEL, "mmap without huge pages, a fault at each first touch, munmap");
        out.put(POPULATE, "mmap with MAP_POPULATE: the call maps all pages, munmap");
        out.put(THP, "mmap with MADV_HUGEPAGE on 2 MiB boundaries, munmap");
        out.put(FAULT, "the process writes frame numbers; a touch has the kernel check and install a table of 512");
        out.put(BATCH, "the process writes frame numbers; one call has the kernel check and install them");
        out.put(RAW_PTE, "the process stores hardware entries of 4 KiB itself");
        out.put(RAW_PMD, "the process stores hardware entries of 2 MiB itself");
        out.put("batched", "shoot-down as the module does it: entries emptied one by one, then one flush for all");
        out.put("per-range", "shoot-down by one zap_vma_ptes() for each range");
        out.put("hull", "shoot-down by one zap_vma_ptes() from the first page to the last");
        out.put("madvise", "stock kernel: one MADV_DONTNEED for each range");
        out.put("munmap-like", "stock kernel: one MADV_DONTNEED from the first page to the last");
        return out;
    }

    private Report report(CountsInput input, List<Figures.Figure> figures) {
        List<Section> sections = new ArrayList<>();
        sections.add(pages());
        sections.add(hugePages());
        sections.add(safety());
        sections.add(shootdown());
        sections.add(realloc());
        sections.add(harvest());
        DlmallocCounts.section(counts).ifPresent(sections::add);
        if (!driver.isEmpty()) {
            sections.add(MonteCarloCounts.section(driver));
        }
        profile.ifPresent(p -> sections.add(p.section()));
        sections.add(limits());
        sections.add(ReportBuilder.figures(figures));
        sections.add(conditions(input));
        return new Report(
                "What a page costs when a process holds its own page mappings",
                List.of(
                        "A page of memory reaches a program through an entry of a page table. The kernel alone writes"
                            + " that table: at the first touch of each page it takes an exception, finds a page, clears"
                            + " it and stores the entry; unmapping goes the way back, page by page.",
                        "With the module upa.ko a process owns a pool of page frames and says itself which frame stands"
                            + " where: guarded, by frame numbers which the kernel checks and installs, or raw, by"
                            + " storing the hardware's entries. This page counts what that leaves of the cost.",
                        "All counts are instructions, of kernel and user mode together, in a virtual machine whose"
                            + " clock advances by one for each instruction. They repeat exactly and need no"
                            + " statistics; what they leave out stands below, with a check by the clock."),
                highlights(),
                sections);
    }

    private List<Highlight> highlights() {
        List<Highlight> out = new ArrayList<>();
        costs.ratio(KERNEL, RAW_PTE, GIB_PAGES)
                .ifPresent(r -> out.add(new Highlight(
                        Units.ratio(r), "fewer instructions a page than the kernel's mmap: 1 GiB, raw 4 KiB entries")));
        costs.ratio(KERNEL, BATCH, GIB_PAGES)
                .ifPresent(r -> out.add(new Highlight(Units.ratio(r), "the same guarded: no write can do harm")));
        costs.hugeRatio(THP, RAW_PMD, GIB_PAGES)
                .ifPresent(r -> out.add(
                        new Highlight(Units.ratio(r), "fewer than huge pages of the kernel: 1 GiB, raw 2 MiB entries")));
        counts.sum(RAW_PMD, GIB_PAGES, "allocate", "free")
                .ifPresent(c -> out.add(new Highlight(
                        Units.digits(c), "instructions to map 1 GiB and take it away again, with the flush")));
        return out;
    }

    // 4 KiB

    private Section pages() {
        List<String> backends =
                BACKENDS.stream().filter(b -> !b.equals(RAW_PMD)).toList();
        List<Block> blocks = new ArrayList<>();
        blocks.add(
                new Text(
                        "Measured",
                        "A request of the size shown is allocated (entries stored or mmap called), each of its pages"
                            + " is written to once, and all is taken away (entries emptied and one flush, or munmap)."
                            + " Only mapping is counted, not the bookkeeping of an allocator. The pool's frames were"
                            + " cleared when they entered it; the kernel clears each page anew, which is part of its"
                            + " counts (512 stores of a word) and left out in the ratios so marked."));
        blocks.add(new Text("Seen", seen(Stream.of(RAW_PTE, BATCH, FAULT).flatMap(b -> ratioStatement(b).stream()))));
        List<List<Cell>> rows = new ArrayList<>();
        for (long pages : costs.sizes(RAW_PTE)) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(Units.bytes(pages * PAGE))));
            for (String backend : List.of(KERNEL, POPULATE, THP, FAULT, BATCH, RAW_PTE)) {
                row.add(number(costs.cost(backend, pages).map(c -> c / pages)));
            }
            row.add(against(costs.ratio(KERNEL, BATCH, pages)));
            row.add(against(costs.ratio(KERNEL, RAW_PTE, pages)));
            row.add(against(costs.ratioWithoutClearing(KERNEL, RAW_PTE, pages)));
            rows.add(row);
        }
        blocks.add(new Table(
                "Instructions per page of 4 KiB, and how many times fewer than the kernel's mmap",
                false,
                List.of(
                        "request",
                        KERNEL,
                        "populate",
                        "huge",
                        FAULT,
                        BATCH,
                        RAW_PTE,
                        "guarded",
                        "raw",
                        "raw, no clearing"),
                rows));
        blocks.add(chart(
                "Instructions per page: allocate, touch, free",
                "lower is better; clearing included",
                Unit.INSTRUCTIONS,
                backends,
                (b, p) -> costs.cost(b, p).map(c -> c / p)));
        blocks.add(chart(
                "The same without the kernel's clearing",
                "lower is better",
                Unit.INSTRUCTIONS,
                backends,
                (b, p) -> costs.withoutClearing(b, p).map(c -> c / p)));
        blocks.add(chart(
                "How many times fewer than the kernel's mmap",
                "higher is better",
                Unit.RATIO,
                backends.stream().filter(b -> !b.equals(KERNEL)).toList(),
                (b, p) -> costs.ratio(KERNEL, b, p)));
        blocks.add(slopes());
        blocks.add(operations());
        return new Section("pages", "A page of 4 KiB", blocks);
    }

    private Optional<String> ratioStatement(String backend) {
        List<Long> sizes = costs.sizes(backend).stream()
                .filter(p -> costs.ratio(KERNEL, backend, p).isPresent())
                .toList();
        return sizes.isEmpty()
                ? Optional.empty()
                : Optional.of(backend + " costs "
                        + Units.ratio(
                                costs.ratio(KERNEL, backend, sizes.getFirst()).orElseThrow())
                        + " (" + Units.bytes(sizes.getFirst() * PAGE) + ") to "
                        + Units.ratio(
                                costs.ratio(KERNEL, backend, sizes.getLast()).orElseThrow())
                        + " (" + Units.bytes(sizes.getLast() * PAGE) + ") less than the kernel");
    }

    private Table slopes() {
        List<List<Cell>> rows = new ArrayList<>();
        for (String backend : BACKENDS) {
            rows.add(List.of(
                    Cell.of(backend),
                    slope(backend, pages -> costs.cost(backend, pages)),
                    slope(backend, pages -> counts.sum(backend, pages, "allocate", "free"))));
        }
        return new Table(
                "Log-log slope of cost against size over all sizes: 0 where the size does not matter, 1 where the cost is"
                    + " proportional to it",
                false,
                List.of("backend", "with touch", "allocate + free alone"),
                rows);
    }

    private Cell slope(String backend, Function<Long, Optional<Double>> cost) {
        List<Long> sizes = costs.sizes(backend).stream()
                .filter(p -> cost.apply(p).isPresent())
                .toList();
        if (sizes.size() < 2) {
            return Cell.of("");
        }
        return Cell.of(Units.digits(Statistics.logLogSlope(
                sizes.stream().mapToDouble(Long::doubleValue).toArray(),
                sizes.stream().mapToDouble(p -> cost.apply(p).orElseThrow()).toArray())));
    }

    private Table operations() {
        List<String> operations = List.of("allocate", "touch", "reuse", "clear", "flush", "free", "realloc");
        List<String> header = new ArrayList<>(List.of("backend", "request"));
        header.addAll(operations);
        List<List<Cell>> rows = new ArrayList<>();
        for (String backend : BACKENDS) {
            for (long pages : costs.sizes(backend)) {
                List<Cell> row = new ArrayList<>(List.of(Cell.of(backend), Cell.of(Units.bytes(pages * PAGE))));
                operations.forEach(o -> row.add(number(costs.operation(backend, o, pages))));
                rows.add(row);
            }
        }
        return new Table("All counts, for the whole request", true, header, rows);
    }

    // 2 MiB

    private Section hugePages() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Measured",
                "As before, with entries that map 2 MiB each, and one write in each 2 MiB. A program that writes to each"
                    + " 4 KiB spends 2 048 instructions per 2 MiB on that alone, whoever maps them."));
        double clearings = costs.clearings(THP, GIB_PAGES);
        blocks.add(new Text(
                "Seen",
                seen(Stream.of(
                        spread(costs.sizes(THP), p -> costs.hugeRatio(THP, RAW_PMD, p))
                                .map(s -> "raw 2 MiB entries cost " + s + " less than huge pages of the kernel"),
                        Optional.of("this kernel clears a huge page " + (clearings > 1 ? "twice" : "once")))
                        .flatMap(Optional::stream))));
        List<List<Cell>> rows = new ArrayList<>();
        for (long pages : costs.sizes(THP)) {
            double blocks2M = pages / (double) HUGE_PAGES;
            rows.add(List.of(
                    Cell.of(Units.bytes(pages * PAGE)),
                    number(costs.hugeCost(THP, pages).map(c -> c / blocks2M)),
                    number(costs.hugeWithoutClearing(THP, pages).map(c -> c / blocks2M)),
                    number(costs.hugeCost(RAW_PMD, pages).map(c -> c / blocks2M)),
                    number(counts.sum(RAW_PMD, pages, "allocate", "clear").map(c -> c / blocks2M)),
                    against(costs.hugeRatio(THP, RAW_PMD, pages)),
                    against(costs.hugeRatioWithoutClearing(THP, RAW_PMD, pages)),
                    against(costs.ratio(THP, RAW_PMD, pages))));
        }
        blocks.add(new Table(
                "Instructions per 2 MiB, and how many times fewer than the kernel's huge pages",
                false,
                List.of(
                        "request",
                        "kernel",
                        "kernel, no clearing",
                        RAW_PMD,
                        "entries alone",
                        "fewer",
                        "no clearing",
                        "if each 4 KiB is written"),
                rows));
        blocks.add(chart(
                "Instructions per 2 MiB: allocate, touch once, free",
                "lower is better; one flush for each request",
                Unit.INSTRUCTIONS,
                List.of(THP, RAW_PMD),
                (b, p) -> p < HUGE_PAGES
                        ? Optional.empty()
                        : costs.hugeCost(b, p).map(c -> c / ((double) p / HUGE_PAGES))));
        return new Section("huge", "2 MiB at a time", blocks);
    }

    // Safety

    private Section safety() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Claimed",
                "Guarded mode, in which no write of the process can reach memory outside its pool, costs at most three"
                    + " times raw mode from 64 pages on."));
        blocks.add(new Text(
                "Seen",
                seen(Stream.of(BATCH, FAULT)
                        .flatMap(b -> spread(costs.sizes(b), p -> costs.ratio(b, RAW_PTE, p))
                                .map(s -> b + " over raw: " + s)
                                .stream()))));
        blocks.add(chart(
                "Guarded over raw: allocate, touch, free",
                "lower is better",
                Unit.RATIO,
                List.of(BATCH, FAULT),
                (b, p) -> costs.ratio(b, RAW_PTE, p)));
        List<List<Cell>> rows = new ArrayList<>();
        for (String backend : List.of(RAW_PTE, BATCH, FAULT)) {
            for (long pages : List.of(64L, GIB_PAGES)) {
                List<Cell> row = new ArrayList<>(List.of(Cell.of(backend), Cell.of(Units.bytes(pages * PAGE))));
                for (String operation : List.of("allocate", "touch", "clear", "flush")) {
                    row.add(number(
                            costs.operation(backend, operation, pages).map(c -> c / pages)));
                }
                row.add(number(costs.cost(backend, pages).map(c -> c / pages)));
                rows.add(row);
            }
        }
        blocks.add(new Table(
                "Where they go, instructions per page: allocate stores and, in batch, installs; touch includes faults;"
                    + " clear empties the process's table; flush is the call",
                false,
                List.of("backend", "request", "allocate", "touch", "clear", "flush", "all"),
                rows));
        return new Section("safety", "The cost of safety", blocks);
    }

    // Shoot-down

    private Section shootdown() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(
                new Text(
                        "Measured",
                        "Pages are taken away in one batch, either in one run or one page in 16. A stale translation"
                            + " must be flushed before its frame is used again; the flush costs the same for one page"
                            + " as for any number. Stock kernels offer no way to unmap scattered pages in one call."));
        for (boolean scattered : List.of(true, false)) {
            String operation = scattered ? "scattered" : "contiguous";
            List<String> backends = counts.rows().stream()
                    .filter(r -> r.program().equals(SHOOTDOWN) && r.operation().equals(operation))
                    .map(Counts.Row::backend)
                    .distinct()
                    .toList();
            List<Long> sizes = backends.isEmpty() ? List.of() : counts.pages(SHOOTDOWN, backends.getFirst(), operation);
            List<List<Cell>> rows = new ArrayList<>();
            for (String backend : backends) {
                List<Cell> row = new ArrayList<>(List.of(Cell.of(backend)));
                sizes.forEach(p -> row.add(number(counts.total(SHOOTDOWN, backend, operation, p))));
                rows.add(row);
            }
            List<String> header = new ArrayList<>(List.of("pages in the batch"));
            sizes.forEach(p -> header.add(Long.toString(p)));
            blocks.add(new Table(
                    "Instructions of one batch, " + (scattered ? "pages scattered one in 16" : "pages in one run"),
                    !scattered,
                    header,
                    rows));
            blocks.add(new Chart(
                    "Instructions per page taken away, " + operation,
                    "by the size of the batch; lower is better",
                    List.of(),
                    Unit.INSTRUCTIONS,
                    backends.stream()
                            .map(b -> series(
                                    b,
                                    counts.pages(SHOOTDOWN, b, operation),
                                    p -> counts.total(SHOOTDOWN, b, operation, p).map(c -> c / p)))
                            .toList(),
                    List.of()));
        }
        return new Section("shootdown", "What one TLB shoot-down costs as the batch grows", blocks);
    }

    // Realloc

    private Section realloc() {
        List<String> backends =
                BACKENDS.stream().filter(b -> !b.equals(POPULATE)).toList();
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Measured",
                "A block moves to twice its size at another place: the kernel by mremap, which moves page tables and"
                    + " leaves the new half to faults; the module's modes by moving entries and mapping the new half,"
                    + " with one flush. Nothing is copied."));
        blocks.add(new Text(
                "Seen",
                seen(Stream.of(RAW_PTE, BATCH, RAW_PMD)
                        .flatMap(b -> spread(
                                        costs.sizes(b),
                                        p -> costs.operation(KERNEL, "realloc", p)
                                                .flatMap(k -> costs.operation(b, "realloc", p)
                                                        .map(r -> k / r)))
                                .map(s -> b + " takes " + s + " fewer instructions than mremap")
                                .stream()))));
        List<List<Cell>> rows = new ArrayList<>();
        for (long pages : costs.sizes(RAW_PTE)) {
            if (costs.operation(KERNEL, "realloc", pages).isPresent()) {
                List<Cell> row = new ArrayList<>(List.of(Cell.of(Units.bytes(pages * PAGE))));
                backends.forEach(b -> row.add(number(costs.operation(b, "realloc", pages))));
                rows.add(row);
            }
        }
        List<String> header = new ArrayList<>(List.of("old size"));
        header.addAll(backends);
        blocks.add(new Table("Instructions of one realloc to twice the size", false, header, rows));
        blocks.add(chart(
                "Instructions of one realloc to twice the size",
                "by the old size; lower is better. mremap moves whole tables of 2 MiB where both places are aligned",
                Unit.INSTRUCTIONS,
                backends,
                (b, p) -> costs.operation(b, "realloc", p)));
        return new Section("realloc", "realloc: mremap against editing entries", blocks);
    }

    // Harvest

    private Section harvest() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(
                new Text(
                        "Measured",
                        "Learning which pages were written since the last time, of all that are mapped, when 1 % or 100 %"
                            + " of them were. harvest: one call of the module, which also clears the bits; raw-pte:"
                            + " the process reads its own table; soft-dirty: pagemap and clear_refs of a stock kernel;"
                            + " soft-dirty-refault: what the next write to each page then costs, since clear_refs"
                            + " takes write permission away; referenced: smaps, which tells only a sum."));
        List<String> backends = counts.rows().stream()
                .filter(r -> r.program().equals(HARVEST))
                .map(Counts.Row::backend)
                .distinct()
                .toList();
        TreeSet<Long> sizes = counts.rows().stream()
                .filter(r -> r.program().equals(HARVEST))
                .map(Counts.Row::pages)
                .collect(Collectors.toCollection(TreeSet::new));
        List<String> header = new ArrayList<>(List.of("way"));
        sizes.forEach(p -> {
            header.add(Units.bytes(p * PAGE) + ", 1 %");
            header.add(Units.bytes(p * PAGE) + ", 100 %");
        });
        List<List<Cell>> rows = new ArrayList<>();
        for (String backend : backends) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(backend)));
            for (long pages : sizes) {
                for (String share : List.of("1%", "100%")) {
                    row.add(number(
                            counts.total(HARVEST, backend, share, pages).map(c -> c / pages)));
                }
            }
            rows.add(row);
        }
        blocks.add(new Table("Instructions per page mapped", false, header, rows));
        counts.remarks().stream()
                .filter(r -> r.startsWith(HARVEST))
                .map(r -> r.replace(HARVEST + ": ", ""))
                .reduce((a, b) -> a + "; " + b)
                .ifPresent(r -> blocks.add(
                        new Text(
                                "Note",
                                r
                                    + ": the kernel does not flush after clearing accessed bits, so pages whose"
                                    + " translation is still in the TLB look idle to it.")));
        return new Section("harvest", "Which pages were used: harvest against stock kernels", blocks);
    }

    // What counts leave out

    private Section limits() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(
                new Text(
                        "Limits",
                        "Instruction counts know nothing of caches and of misses in the TLB, so an instruction that"
                            + " waits for memory counts as one that does not: this favours whoever touches memory in"
                            + " few instructions, the module's modes above all. They know nothing of interrupts"
                            + " between processors: on a machine that runs several threads of the process each"
                            + " shoot-down costs microseconds that count as nothing here, which favours whoever"
                            + " flushes more often, the kernel. And they know nothing of how many instructions a"
                            + " processor works on at once."));
        if (host.isEmpty()) {
            blocks.add(new Text("Check", "not made: no times of the host were given."));
            return new Section("limits", "What instruction counts leave out", blocks);
        }
        PageCosts times = host.get();
        blocks.add(
                new Text(
                        "Check",
                        "The same program ran on the machine that ran the virtual machine, on its own kernel, and took"
                            + " the time; of several rounds the least counts, since others may use the machine. Where a"
                            + " kernel operation is held against another, counts and times should give the same"
                            + " ratio; where they do not, the counts mislead by that much. No time can be had there"
                            + " for the module's modes, but a bound: they must touch the page, and the touch of a page"
                            + " that is mapped (reuse) costs what caches and TLB make it cost. So in time no mode can"
                            + " be more times cheaper than the kernel than reuse is, shown as \"by time\"."));
        List<List<Cell>> ratios = new ArrayList<>();
        for (long pages : costs.sizes(KERNEL)) {
            if (pages < 16 || times.cost(KERNEL, pages).isEmpty()) {
                continue;
            }
            List<Cell> row = new ArrayList<>(List.of(Cell.of(Units.bytes(pages * PAGE))));
            for (Function<PageCosts, Optional<Double>> ratio : comparisons(pages)) {
                row.add(against(ratio.apply(costs)));
                row.add(against(ratio.apply(times)));
            }
            ratios.add(row);
        }
        blocks.add(new Table(
                "Ratios by instructions counted and by time taken",
                false,
                List.of(
                        "request",
                        "kernel / reuse: counted",
                        "by time",
                        "kernel / populate: counted",
                        "by time",
                        "kernel / huge: counted",
                        "by time",
                        "touch / munmap: counted",
                        "by time"),
                ratios));
        blocks.add(new Chart(
                "How many times cheaper it is to touch a page again than to get it from the kernel",
                "the gap is what counts leave out: caches and TLB misses",
                List.of(),
                Unit.RATIO,
                List.of(
                        reuseSeries("counted", "#1b998b", costs),
                        reuseSeries("by time on this host", "#d1495b", times)),
                List.of()));
        blocks.add(perInstruction(times));
        return new Section("limits", "What instruction counts leave out", blocks);
    }

    private static List<Function<PageCosts, Optional<Double>>> comparisons(long pages) {
        return List.of(
                c -> c.cost(KERNEL, pages)
                        .flatMap(k -> c.reuse(KERNEL, pages).filter(r -> r > 0).map(r -> k / r)),
                c -> c.ratio(KERNEL, POPULATE, pages),
                c -> c.ratio(KERNEL, THP, pages),
                c -> c.operation(KERNEL, "touch", pages)
                        .flatMap(t -> c.operation(KERNEL, "free", pages).map(f -> t / f)));
    }

    private Series reuseSeries(String name, String colour, PageCosts from) {
        List<Point> points = new ArrayList<>();
        for (long pages : from.sizes(KERNEL)) {
            if (pages >= 16) {
                comparisons(pages).getFirst().apply(from).ifPresent(r -> points.add(new Point(pages * PAGE, r, r, r)));
            }
        }
        return new Series(name, colour, points);
    }

    private Table perInstruction(PageCosts times) {
        List<List<Cell>> rows = new ArrayList<>();
        for (String backend : List.of(KERNEL, POPULATE, THP)) {
            for (String operation : List.of("allocate", "touch", "touch-huge", "reuse", "free", "realloc")) {
                List<Cell> row = new ArrayList<>(List.of(Cell.of(backend + ", " + operation)));
                boolean any = false;
                for (long pages : List.of(64L, 16384L, GIB_PAGES)) {
                    Optional<Double> count = costs.operation(backend, operation, pages);
                    Optional<Double> time = times.operation(backend, operation, pages);
                    any |= count.isPresent() && time.isPresent();
                    row.add(number(count.map(c -> c / pages)));
                    row.add(Cell.of(time.map(t -> Units.time(t / pages)).orElse("")));
                    row.add(Cell.of(count.flatMap(c -> time.map(t -> Units.digits(t / c)))
                            .orElse("")));
                }
                if (any) {
                    rows.add(row);
                }
            }
        }
        List<String> header = new ArrayList<>(List.of("operation"));
        for (long pages : List.of(64L, 16384L, GIB_PAGES)) {
            header.addAll(List.of(Units.bytes(pages * PAGE) + ": count a page", "time a page", "ns an instruction"));
        }
        return new Table(
                "Per page: instructions counted in the virtual machine, time taken on the host, and time per instruction",
                true,
                header,
                rows);
    }

    // Machine and method

    private Section conditions(CountsInput input) {
        List<Block> blocks = new ArrayList<>();
        blocks.add(facts("The virtual machine, where instructions were counted", counts.facts()));
        host.ifPresent(h -> blocks.add(facts("The host, where time was taken", input.machine())));
        blocks.add(facts("The ways to map that were measured", MEANINGS));
        counts.remarks().stream()
                .filter(r -> !r.startsWith(HARVEST))
                .forEach(r -> blocks.add(new Text("Note", r + ".")));
        return new Section("conditions", "Machine and method", blocks);
    }

    private static Table facts(String caption, Map<String, String> facts) {
        return new Table(
                caption,
                false,
                List.of(),
                facts.entrySet().stream()
                        .map(e -> List.of(Cell.of(e.getKey()), Cell.of(e.getValue())))
                        .toList());
    }

    // Blocks

    private Chart chart(
            String title,
            String note,
            Unit unit,
            List<String> backends,
            BiFunction<String, Long, Optional<Double>> value) {
        return new Chart(
                title,
                note,
                List.of(),
                unit,
                backends.stream()
                        .map(b -> series(b, costs.sizes(b), p -> value.apply(b, p)))
                        .filter(s -> !s.points().isEmpty())
                        .toList(),
                List.of());
    }

    private static Series series(String name, List<Long> sizes, Function<Long, Optional<Double>> value) {
        return new Series(
                name,
                COLOURS.getOrDefault(name, "#6c757d"),
                sizes.stream()
                        .flatMap(p -> value.apply(p).stream()
                                .filter(v -> v > 0)
                                .map(v -> new Point(p * PAGE, v, v, v)))
                        .toList());
    }

    /** Such as "6.35x (4 KiB) to 316x (1 GiB)", by size. */
    private static Optional<String> spread(List<Long> sizes, Function<Long, Optional<Double>> ratio) {
        List<Long> there = sizes.stream().filter(p -> ratio.apply(p).isPresent()).toList();
        if (there.isEmpty()) {
            return Optional.empty();
        }
        return Stream.of(there.getFirst(), there.getLast())
                .map(p -> Units.ratio(ratio.apply(p).orElseThrow()) + " (" + Units.bytes(p * PAGE) + ")")
                .reduce((a, b) -> a + " to " + b);
    }

    private static String seen(Stream<String> statements) {
        String text = statements.collect(Collectors.joining("; "));
        return text.isEmpty() ? "not enough was measured to say." : text + ".";
    }

    private static Cell number(Optional<Double> value) {
        return Cell.of(value.map(Units::digits).orElse(""));
    }

    private static Cell against(Optional<Double> ratio) {
        return ratio.map(r -> new Cell(Units.ratio(r), r > 1 ? Mark.GOOD : r < 1 ? Mark.BAD : Mark.NONE))
                .orElse(Cell.of(""));
    }
}
