package upa.bench;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import upa.bench.report.HtmlReport;
import upa.bench.report.Report;
import upa.bench.report.TextReport;

/**
 * The second half of {@code upa vm bench}: turns what was counted in the virtual machine into report.html, results.csv and
 * results.json. Arguments: the folder of {@link CountsInput}, and the folder of the results.
 *
 * <p>Exit status: 0 done, 1 failed, 2 used wrongly.
 */
public final class CountsMain {

    private CountsMain() {}

    /**
     * The entry point.
     *
     * @param args two folders
     */
    public static void main(String[] args) {
        boolean terminal = System.console() != null && System.console().isTerminal();
        System.exit(run(System.out, System.err, new Machine(Path.of("/")), terminal, args));
    }

    static int run(PrintStream out, PrintStream err, Machine machine, boolean terminal, String... args) {
        try {
            if (args.length != 2) {
                throw BenchException.usage("expected two folders, of the counts and of the results: arguments="
                        + String.join(" ", args));
            }
            CountsInput input = CountsInput.read(Path.of(args[0]), machine.facts());
            Path results = Path.of(args[1]);
            List<Figures.Figure> figures = CountsFigures.of(new PageCosts(input.counts()));
            Report report = CountsReport.build(input, figures);
            out.print(new TextReport(terminal).format(report));
            write(results, report, input, figures);
            out.println("\nReport with charts: " + results.resolve("report.html"));
            out.println("Data: " + results.resolve("results.csv") + ", " + results.resolve("results.json"));
            return 0;
        } catch (BenchException e) {
            err.println("upa vm bench: " + e.getMessage().strip().replace('\n', ' '));
            return e.status();
        }
    }

    /** A line of results.csv, and an object of results.json: where is vm or host. */
    private record Row(
            String where,
            String program,
            String backend,
            String operation,
            long bytes,
            long batch,
            String unit,
            double total) {
        String toCsv() {
            return String.format(
                    Locale.ROOT,
                    "%s,%s,%s,%s,%d,%d,%s,%.3f%n",
                    where,
                    program,
                    backend,
                    operation,
                    bytes,
                    batch,
                    unit,
                    total);
        }
    }

    private static List<Row> rows(CountsInput input) {
        List<Row> rows = new ArrayList<>();
        input.counts().rows().forEach(r -> rows.add(row("vm", r)));
        input.host().ifPresent(h -> h.rows().forEach(r -> rows.add(row("host", r))));
        for (MonteCarloCounts.Run run : input.driver()) {
            run.points()
                    .forEach(p -> rows.add(new Row(
                            "vm",
                            "upa-driver " + run.workload(),
                            run.contestant(),
                            p.phase(),
                            p.size(),
                            p.batch(),
                            "instructions",
                            p.mean())));
        }
        return rows;
    }

    private static Row row(String where, Counts.Row r) {
        return new Row(
                where, r.program(), r.backend(), r.operation(), r.pages() * 4096, r.batch(), r.unit(), r.total());
    }

    private static void write(Path folder, Report report, CountsInput input, List<Figures.Figure> figures)
            throws BenchException {
        List<Row> rows = rows(input);
        StringBuilder csv = new StringBuilder("where,program,backend,operation,bytes,batch,unit,total\n");
        rows.forEach(r -> csv.append(r.toCsv()));
        var gson = new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();
        JsonObject root = new JsonObject();
        root.add("virtual_machine", gson.toJsonTree(input.counts().facts()));
        root.add("host", gson.toJsonTree(input.machine()));
        root.add("figures", gson.toJsonTree(figures));
        input.profile().ifPresent(p -> root.add("profile", gson.toJsonTree(p.operations())));
        root.add("measurements", gson.toJsonTree(rows));
        try {
            Files.createDirectories(folder);
            Files.writeString(folder.resolve("report.html"), HtmlReport.format(report));
            Files.writeString(folder.resolve("results.csv"), csv);
            Files.writeString(folder.resolve("results.json"), gson.toJson(root) + "\n");
        } catch (IOException e) {
            throw BenchException.failure("cannot write results: folder=" + folder + ": " + e.getMessage());
        }
    }
}
