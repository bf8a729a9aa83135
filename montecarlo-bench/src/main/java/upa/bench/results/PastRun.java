package upa.bench.results;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements.Key;
import upa.bench.results.Measurements.Line;
import upa.measure.MeasureException;
import upa.measure.ResultFolder;

/**
 * What a run has left behind in results.json.
 *
 * @param machine facts of the machine, by name
 * @param method facts of the run, by name
 * @param figures what came of each figure, by its name
 * @param medians of each line at each size the rounds' median times, in ns
 * @param unknown how many lines were of experiments that there are no longer
 */
public record PastRun(
        Map<String, String> machine,
        Map<String, String> method,
        Map<String, String> figures,
        Map<Key, double[]> medians,
        int unknown) {

    /** A line of {@code measurements}, as far as it is read. */
    private record Measured(
            String experiment,
            String contestant,
            String variant,
            int threads,
            String phase,
            long sizeBytes,
            double medianNs) {}

    private record Figure(String name, String measured, String verdict) {}

    /**
     * Reads a run.
     *
     * @param folder that it has left behind
     * @return the run
     * @throws MeasureException if there is none, or not one of {@code upa bench}
     */
    public static PastRun read(Path folder) throws MeasureException {
        Path file = ResultFolder.data(folder);
        try {
            PastRun run = parse(Files.readString(file));
            if (run.medians.isEmpty()) {
                throw new JsonParseException("no measurements");
            }
            return run;
        } catch (NoSuchFileException _) {
            throw MeasureException.failure("no results to compare: file=" + file
                    + " is not there: ./upa bench --out FOLDER leaves one behind");
        } catch (IOException e) {
            throw MeasureException.failure("cannot read results: file=" + file + ": " + ResultFolder.reason(e));
        } catch (JsonParseException
                | ClassCastException
                | IllegalStateException
                | UnsupportedOperationException
                | NullPointerException _) {
            // What Gson throws at JSON of another form.
            throw MeasureException.failure("cannot read results: file=" + file + ": not written by ./upa bench");
        }
    }

    private static PastRun parse(String text) {
        JsonObject root = ResultFolder.JSON.fromJson(text, JsonObject.class);
        Map<Key, List<Double>> medians = new LinkedHashMap<>();
        int unknown = 0;
        for (JsonElement element : root.getAsJsonArray("measurements")) {
            Measured measured = ResultFolder.JSON.fromJson(element, Measured.class);
            Optional<Experiment> experiment = Experiment.find(measured.experiment());
            if (experiment.isEmpty()) {
                unknown++;
            } else if (measured.medianNs() > 0) {
                Line line = new Line(
                        experiment.get(),
                        measured.contestant(),
                        measured.variant(),
                        measured.threads(),
                        measured.phase());
                medians.computeIfAbsent(new Key(line, measured.sizeBytes()), _ -> new ArrayList<>())
                        .add(measured.medianNs());
            }
        }
        Map<Key, double[]> values = new LinkedHashMap<>();
        medians.forEach((key, list) ->
                values.put(key, list.stream().mapToDouble(Double::doubleValue).toArray()));
        Map<String, String> figures = new LinkedHashMap<>();
        for (JsonElement element : root.getAsJsonArray("figures")) {
            Figure figure = ResultFolder.JSON.fromJson(element, Figure.class);
            figures.put(
                    figure.name(),
                    figure.measured().isEmpty()
                            ? ""
                            : figure.measured() + ", " + figure.verdict().toLowerCase());
        }
        return new PastRun(facts(root, "machine"), facts(root, "method"), figures, values, unknown);
    }

    private static Map<String, String> facts(JsonObject root, String name) {
        Map<String, String> facts = new TreeMap<>();
        root.getAsJsonObject(name)
                .entrySet()
                .forEach(e -> facts.put(e.getKey(), e.getValue().getAsString()));
        return facts;
    }
}
