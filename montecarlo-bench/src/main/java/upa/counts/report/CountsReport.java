package upa.counts.report;

import static upa.counts.data.PageCosts.BATCH;
import static upa.counts.data.PageCosts.FAULT;
import static upa.counts.data.PageCosts.KERNEL;
import static upa.counts.data.PageCosts.POPULATE;
import static upa.counts.data.PageCosts.RAW_PMD;
import static upa.counts.data.PageCosts.RAW_PTE;
import static upa.counts.data.PageCosts.THP;
import static upa.counts.report.CountsBlocks.GIB_PAGES;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import upa.counts.data.Counts;
import upa.counts.data.CountsInput;
import upa.counts.data.DriverRuns;
import upa.counts.data.InstructionProfile;
import upa.counts.data.PageCosts;
import upa.measure.Conditions;
import upa.measure.Figure;
import upa.measure.Targets;
import upa.measure.report.Report;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Highlight;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Text;
import upa.measure.report.Units;

/** Turns instruction counts from the virtual machine into the report of {@code upa vm bench}. */
public final class CountsReport {

    private static final Map<String, String> MEANINGS = meanings();

    private final PageCosts costs;
    private final Counts counts;
    private final Optional<PageCosts> host;
    private final Optional<InstructionProfile> profile;
    private final List<DriverRuns.Run> driver;

    private CountsReport(CountsInput input) {
        counts = input.counts();
        costs = new PageCosts(counts);
        host = input.host().map(PageCosts::new);
        profile = input.profile();
        driver = input.driver();
    }

    /**
     * The report.
     *
     * @param input what was counted
     * @param figures held against it
     * @return sections from the single page to the whole program
     */
    public static Report of(CountsInput input, List<Figure> figures) {
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

    private Report report(CountsInput input, List<Figure> figures) {
        List<Section> sections = new ArrayList<>();
        CountsBlocks make = new CountsBlocks(counts);
        sections.add(PagesSection.of(make));
        sections.add(HugePagesSection.of(make));
        sections.add(SafetySection.of(make));
        sections.add(ShootdownSection.of(make));
        sections.add(ReallocSection.of(make));
        sections.add(HarvestSection.of(make));
        DlmallocSection.of(counts).ifPresent(sections::add);
        if (!driver.isEmpty()) {
            sections.add(DriverSection.of(driver));
        }
        profile.map(ProfileSection::of).ifPresent(sections::add);
        sections.add(LimitsSection.of(make, host));
        sections.add(Targets.section(figures));
        sections.add(conditions(input));
        return new Report(
                "What a page costs when a process holds its own page mappings",
                List.of(
                        "A page of memory reaches a program through an entry of a page table. The kernel alone writes"
                                + " that table: at the first touch of each page it takes an exception, finds a"
                                + " page, clears"
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
                .ifPresent(r -> out.add(new Highlight(
                        Units.ratio(r), "fewer than huge pages of the kernel: 1 GiB, raw 2 MiB entries")));
        counts.sum(RAW_PMD, GIB_PAGES, "allocate", "free")
                .ifPresent(c -> out.add(new Highlight(
                        Units.digits(c), "instructions to map 1 GiB and take it away again, with the flush")));
        return out;
    }

    private Section conditions(CountsInput input) {
        List<Block> blocks = new ArrayList<>();
        blocks.add(Conditions.table("The virtual machine, where instructions were counted", counts.facts()));
        host.ifPresent(h -> blocks.add(Conditions.table("The host, where time was taken", input.machine())));
        blocks.add(Conditions.table("The ways to map that were measured", MEANINGS));
        counts.remarks().stream()
                .filter(r -> !r.startsWith(HarvestSection.HARVEST))
                .forEach(r -> blocks.add(new Text("Note", r + ".")));
        return new Section("conditions", "Machine and method", blocks);
    }
}
