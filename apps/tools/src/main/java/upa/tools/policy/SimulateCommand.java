package upa.tools.policy;

import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.measure.OneLine;
import upa.pager.host.PolicySpec;
import upa.pager.simulate.Belady;
import upa.pager.simulate.Outcome;
import upa.pager.simulate.PageTrace;
import upa.pager.simulate.Settings;
import upa.pager.simulate.Simulation;
import upa.pager.simulate.TraceException;
import upa.policy.PolicyException;

/** {@code upa policy simulate}. */
record SimulateCommand(
        Path trace, List<PolicySpec> policies, List<Size> memory, Settings.Evidence evidence, Size staging, int batch) {
    private static final int PAGE_SHIFT = 12;
    private static final String DEFAULT_POLICIES = "fifo,clock,2q,s3-fifo,sieve";
    private static final Options OPTIONS = new Options()
            .addOption(Option.builder().longOpt("policy").hasArg().get())
            .addOption(Option.builder().longOpt("memory").hasArg().get())
            .addOption(Option.builder().longOpt("evidence").hasArg().get())
            .addOption(Option.builder().longOpt("staging").hasArg().get())
            .addOption(Option.builder().longOpt("batch").hasArg().get());

    /**
     * A number of pages, or a part of a whole.
     *
     * @param pages how many, or -1
     * @param part  of the whole, if pages is -1
     */
    record Size(int pages, double part) {
        static Size parse(String option, String text) throws UsageException {
            if (text.matches("[0-9]{1,3}(\\.[0-9]{1,6})?%")) {
                double part = Double.parseDouble(text.substring(0, text.length() - 1)) / 100;
                if (part <= 1) {
                    return new Size(-1, part);
                }
            }
            long bytes = upa.pager.host.Options.parseBytes(text);
            if (bytes < 0 || bytes >> PAGE_SHIFT > 1 << 28) {
                throw new UsageException(
                        "option --" + option + " needs a size up to 1T as 64M, or a part as 50%, got value=" + text);
            }
            return new Size((int) (bytes >> PAGE_SHIFT), 0);
        }

        int of(int whole) {
            return pages >= 0 ? pages : (int) (part * whole);
        }
    }

    static SimulateCommand parse(String[] arguments) throws UsageException {
        CommandLine line;
        try {
            line = new DefaultParser(false).parse(OPTIONS, arguments);
        } catch (ParseException e) {
            throw new UsageException("simulate: " + e.getMessage());
        }
        if (line.getArgList().size() != 1) {
            throw new UsageException(
                    "simulate needs one trace, got traces=" + line.getArgList().size());
        }
        List<PolicySpec> policies = new ArrayList<>();
        try {
            for (String text :
                    line.hasOption("policy") ? line.getOptionValues("policy") : new String[] {DEFAULT_POLICIES}) {
                for (String one : split(text)) {
                    policies.add(PolicySpec.parse(one));
                }
            }
        } catch (PolicyException e) {
            throw new UsageException(e.getMessage());
        }
        List<Size> memory = new ArrayList<>();
        for (String text : line.getOptionValue("memory", "50%").split(",", -1)) {
            memory.add(Size.parse("memory", text));
        }
        String evidence = line.getOptionValue("evidence", "accesses");
        if (!evidence.equals("accesses") && !evidence.equals("faults")) {
            throw new UsageException("option --evidence needs accesses or faults, got value=" + evidence);
        }
        String batch = line.getOptionValue("batch", "1");
        if (!batch.matches("[1-9][0-9]{0,5}")) {
            throw new UsageException("option --batch needs a number of pages, got value=" + batch);
        }
        return new SimulateCommand(
                Path.of(line.getArgList().getFirst()),
                policies,
                memory,
                Settings.Evidence.valueOf(evidence.toUpperCase(Locale.ROOT)),
                Size.parse("staging", line.getOptionValue("staging", "0%")),
                Integer.parseInt(batch));
    }

    /** A comma separates policies, unless key=value follows: that is an option of the policy before. */
    static List<String> split(String text) {
        if (text.contains("when ")) {
            return List.of(text);
        }
        List<String> policies = new ArrayList<>();
        for (String part : text.split(",", -1)) {
            int plus = part.indexOf('+');
            boolean isOption = !policies.isEmpty() && part.indexOf('=') >= 0 && (plus < 0 || part.indexOf('=') < plus);
            if (isOption) {
                policies.set(policies.size() - 1, policies.getLast() + "," + part);
            } else {
                policies.add(part);
            }
        }
        return policies;
    }

    int run(PrintStream out, PrintStream err) throws TraceException {
        PageTrace pages = PageTrace.read(trace);
        out.println("trace " + OneLine.of(trace.toString()) + ": accesses " + pages.size() + ", pages "
                + pages.distinct() + ", "
                + (evidence == Settings.Evidence.ACCESSES ? "every access is seen" : "only faults are seen"));
        int status = 0;
        for (Size size : memory) {
            int bound = size.of(pages.distinct());
            int staged = staging.of(bound);
            if (bound < 1 || staged >= bound) {
                throw new PolicyException(
                        "nothing to simulate: memory of pages=" + bound + ", of these staging pages=" + staged);
            }
            Settings settings = new Settings(bound, evidence, staged, Math.min(batch, bound));
            long best = Belady.faults(pages, bound);
            out.println();
            out.printf(Locale.ROOT, "memory %d pages (%.0f%%)%n", bound, 100.0 * bound / pages.distinct());
            out.printf(
                    "%-28s %9s %12s %9s %12s %12s %22s %10s%n",
                    "policy", "hits", "misses", "x Belady", "rescues", "evictions", "prefetched (used)", "ns/access");
            out.printf(
                    Locale.ROOT, "%-28s %8.2f%% %12d %9.3f%n", "belady", 100 - 100.0 * best / pages.size(), best, 1.0);
            for (PolicySpec policy : policies) {
                Outcome o = Simulation.run(pages, policy, settings);
                var s = o.statistics();
                out.printf(
                        Locale.ROOT,
                        "%-28s %8.2f%% %12d %9.3f %12d %12d %22s %10.0f%n",
                        o.policy(),
                        100 * o.hitRate(),
                        o.misses(),
                        (double) o.misses() / best,
                        s.rescues(),
                        s.evictions(),
                        s.prefetches() == 0 ? "" : s.prefetches() + " (" + s.prefetchesUsed() + ")",
                        (double) o.nanos() / o.accesses());
                for (String complaint : o.complaints()) {
                    err.println(OneLine.of("upa: " + complaint));
                    status = 1;
                }
            }
        }
        return status;
    }
}
