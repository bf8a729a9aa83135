package upa.counts;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import upa.counts.data.Counts;
import upa.counts.data.CountsFigures;
import upa.counts.data.CountsInput;
import upa.counts.data.DriverRuns;
import upa.counts.data.PageCosts;
import upa.counts.report.CountsReport;
import upa.measure.CommandLines;
import upa.measure.Console;
import upa.measure.Figure;
import upa.measure.Machine;
import upa.measure.MeasureException;
import upa.measure.ResultFolder;

/**
 * The second half of {@code upa vm bench}: turns what was counted in the virtual machine into report.html, results.csv
 * and results.json. Arguments: the folder of {@link CountsInput}, and the folder of the results.
 *
 * <p>Exit status: 0 done, 1 failed, 2 used wrongly.
 */
public final class Main {

    private static final int PAGE = 4096;

    private Main() {}

    /**
     * The entry point.
     *
     * @param args two folders
     */
    public static void main(String[] args) {
        System.exit(run(Console.system(), new Machine(Path.of("/")), args));
    }

    static int run(Console console, Machine machine, String... args) {
        try {
            if (args.length != 2) {
                throw MeasureException.usage(
                        "expected two folders, of the counts and of the results: arguments=" + String.join(" ", args));
            }
            CountsInput input = CountsInput.read(Path.of(args[0]), machine.facts());
            ResultFolder folder = ResultFolder.make(Path.of(args[1]));
            List<Figure> figures = CountsFigures.of(new PageCosts(input.counts()));
            Map<String, Object> data = new LinkedHashMap<>();
            data.put("virtual_machine", input.counts().facts());
            data.put("host", input.machine());
            data.put("figures", figures);
            input.profile().ifPresent(p -> data.put("profile", p.operations()));
            folder.publish(console, CountsReport.of(input, figures), Row.class, rows(input), data);
            return 0;
        } catch (MeasureException e) {
            return CommandLines.complain(console, "upa vm bench", e);
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
            double total) {}

    private static List<Row> rows(CountsInput input) {
        List<Row> rows = new ArrayList<>();
        input.counts().rows().forEach(r -> rows.add(row("vm", r)));
        input.host().ifPresent(h -> h.rows().forEach(r -> rows.add(row("host", r))));
        for (DriverRuns.Run run : input.driver()) {
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
                where, r.program(), r.backend(), r.operation(), r.pages() * PAGE, r.batch(), r.unit(), r.total());
    }
}
