package upa.apps;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import upa.bench.BenchException;
import upa.bench.CommandLines;
import upa.bench.report.HtmlReport;
import upa.bench.report.Report;

/** The files a run leaves behind besides runs.jsonl: report.html, results.csv (a line per run) and results.json. */
final class DataFiles {

    private static final String HEADER = "workload,kind,contestant,round,ok,wall_ns,user_ns,system_ns,minor_faults,major_faults,"
            + "peak_bytes,processes,throughput_per_s,p50_ns,p99_ns";

    private DataFiles() {}

    static void write(
            Path folder,
            Report report,
            Results results,
            Profiler profiler,
            Map<String, String> machine,
            Map<String, String> method)
            throws BenchException {
        try {
            Files.createDirectories(folder);
            Files.writeString(folder.resolve("report.html"), HtmlReport.format(report));
            Files.writeString(folder.resolve("results.csv"), csv(results));
            Files.writeString(folder.resolve("results.json"), json(results, profiler, machine, method));
        } catch (IOException e) {
            throw CommandLines.cannotWrite(folder, e);
        }
    }

    static String csv(Results results) {
        StringBuilder out = new StringBuilder(HEADER).append('\n');
        for (Workload workload : results.workloads()) {
            for (Run r : results.runs()) {
                if (r.workload().equals(workload.name())) {
                    // No field can hold a comma or a quote: names and numbers only.
                    out.append(String.format(
                            Locale.ROOT,
                            "%s,%s,%s,%d,%b,%d,%d,%d,%d,%d,%d,%d,%.3f,%.0f,%.0f%n",
                            r.workload(),
                            workload.kind().id(),
                            r.contestant(),
                            r.round(),
                            r.isGood(),
                            r.wallNs(),
                            r.userNs(),
                            r.systemNs(),
                            r.minorFaults(),
                            r.majorFaults(),
                            r.peakBytes(),
                            r.processes(),
                            r.throughput(),
                            r.p50Ns(),
                            r.p99Ns()));
                }
            }
        }
        return out.toString();
    }

    private static String json(
            Results results, Profiler profiler, Map<String, String> machine, Map<String, String> method) {
        var gson = new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();
        JsonObject root = new JsonObject();
        root.add("machine", gson.toJsonTree(machine));
        root.add("method", gson.toJsonTree(method));
        root.add("figures", gson.toJsonTree(AppsFigures.of(results)));
        root.add("speed_up_over_glibc", gson.toJsonTree(speedUps(results)));
        JsonObject profiles = new JsonObject();
        for (Workload workload : results.workloads()) {
            JsonObject profile = new JsonObject();
            profiler.pages(workload).ifPresent(p -> profile.add("pages", gson.toJsonTree(p)));
            for (String contestant : List.of(Contestant.BASE, Contestant.UPA)) {
                profiler.share(workload, contestant).ifPresent(s -> profile.add("kernel_samples " + contestant, gson.toJsonTree(s)));
            }
            profiles.add(workload.name(), profile);
        }
        root.add("profiles", profiles);
        root.add("runs", gson.toJsonTree(results.runs()));
        return gson.toJson(root) + "\n";
    }

    /** By workload and contestant: estimate and interval. */
    private static JsonObject speedUps(Results results) {
        var gson = new GsonBuilder().create();
        JsonObject all = new JsonObject();
        for (Workload workload : results.workloads()) {
            JsonObject one = new JsonObject();
            for (Contestant contestant : Contestant.all()) {
                results.speedUp(workload, Contestant.BASE, contestant.name())
                        .ifPresent(ratio -> one.add(contestant.name(), gson.toJsonTree(ratio)));
            }
            all.add(workload.name(), one);
        }
        return all;
    }
}
