package upa.bench;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import upa.bench.report.HtmlReport;
import upa.bench.report.Report;
import upa.bench.stats.Latencies;

/** The files a run leaves behind: report.html, results.csv (a line per point and round) and results.json. */
final class DataFiles {

    private static final String HEADER =
            "experiment,contestant,variant,threads,phase,size_bytes,round,batch,operations,median_ns,"
                    + "mean_ns,p99_ns,max_ns,page_faults,failures,moved";

    private DataFiles() {}

    static void write(
            Path folder,
            Report report,
            Measurements measurements,
            List<Figures.Figure> figures,
            JmhResults jmh,
            Map<String, String> machine,
            Map<String, String> method)
            throws BenchException {
        try {
            Files.createDirectories(folder);
            Files.writeString(folder.resolve("report.html"), HtmlReport.format(report));
            Files.writeString(folder.resolve("results.csv"), csv(measurements));
            Files.writeString(folder.resolve("results.json"), json(measurements, figures, jmh, machine, method));
        } catch (IOException e) {
            throw CommandLines.cannotWrite(folder, e);
        }
    }

    static String csv(Measurements measurements) {
        StringBuilder out = new StringBuilder(HEADER).append('\n');
        for (Row row : rows(measurements)) {
            out.append(row.toCsv());
        }
        return out.toString();
    }

    /** A line of results.csv, and an object of results.json. */
    private record Row(
            String experiment,
            String contestant,
            String variant,
            int threads,
            String phase,
            long sizeBytes,
            int round,
            long batch,
            long operations,
            double medianNs,
            double meanNs,
            double p99Ns,
            double maxNs,
            long pageFaults,
            long failures,
            long moved) {
        // No field can hold a comma or a quote: names and numbers only.
        String toCsv() {
            return String.format(
                    Locale.ROOT,
                    "%s,%s,%s,%d,%s,%d,%d,%d,%d,%.3f,%.3f,%.3f,%.3f,%d,%d,%d%n",
                    experiment,
                    contestant,
                    variant,
                    threads,
                    phase,
                    sizeBytes,
                    round,
                    batch,
                    operations,
                    medianNs,
                    meanNs,
                    p99Ns,
                    maxNs,
                    pageFaults,
                    failures,
                    moved);
        }
    }

    private static List<Row> rows(Measurements measurements) {
        return measurements.keys().stream()
                .flatMap(key -> measurements.rounds(key.line(), key.size()).entrySet().stream()
                        .map(e -> row(key, e.getKey(), e.getValue())))
                .toList();
    }

    private static String json(
            Measurements measurements,
            List<Figures.Figure> figures,
            JmhResults jmh,
            Map<String, String> machine,
            Map<String, String> method) {
        var gson = new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();
        JsonObject root = new JsonObject();
        root.add("machine", gson.toJsonTree(machine));
        root.add("method", gson.toJsonTree(method));
        root.add("figures", gson.toJsonTree(figures));
        root.add("jmh_ns", gson.toJsonTree(jmh.scores()));
        root.add("measurements", gson.toJsonTree(rows(measurements)));
        return gson.toJson(root) + "\n";
    }

    private static Row row(Measurements.Key key, int round, DriverOutput.Point p) {
        Measurements.Line line = key.line();
        Latencies l = p.latencies();
        return new Row(
                line.experiment().id(),
                line.contestant(),
                line.variant(),
                line.threads(),
                line.phase(),
                key.size(),
                round,
                p.batch(),
                p.operations(),
                l.median(),
                p.mean(),
                l.percentile(99),
                l.max(),
                p.faults(),
                p.failures(),
                p.moved());
    }
}
