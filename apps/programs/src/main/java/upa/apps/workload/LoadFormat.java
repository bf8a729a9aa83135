package upa.apps.workload;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** How to read what a load generator prints. */
public enum LoadFormat {
    /** A line of JSON with throughput (requests per second), p50_us, p99_us and check (a sum over all replies). */
    UPA_LOAD("upa-load") {
        @Override
        public Optional<Load> parse(String output) {
            JsonObject load = json(output);
            try {
                return load.has("throughput")
                        ? Optional.of(new Load(
                                load.get("throughput").getAsDouble(),
                                microseconds(load, "p50_us"),
                                microseconds(load, "p99_us")))
                        : Optional.empty();
            } catch (UnsupportedOperationException | IllegalStateException | NumberFormatException e) {
                return Optional.empty();
            }
        }

        @Override
        public String replies(String output) {
            JsonObject load = json(output);
            return load.has("check") ? load.get("check").toString() : "";
        }

        private static JsonObject json(String output) {
            String line = output.lines()
                    .filter(l -> l.startsWith("{"))
                    .reduce((a, b) -> b)
                    .orElse("{}");
            try {
                return JsonParser.parseString(line).getAsJsonObject();
            } catch (JsonParseException e) {
                return new JsonObject();
            }
        }

        private static double microseconds(JsonObject load, String name) {
            return load.has(name) ? load.get(name).getAsDouble() * 1000 : 0;
        }
    },
    /**
     * {@code redis-benchmark --csv}: the last test counts. Its columns: test, rps, avg, min, p50, p95, p99, max
     * (milliseconds).
     */
    REDIS_BENCHMARK("redis-benchmark") {
        @Override
        public Optional<Load> parse(String output) {
            return output.lines()
                    .map(l -> l.replace("\"", "").split(","))
                    .filter(f -> f.length >= 8 && f[1].matches("[0-9.]+"))
                    .reduce((a, b) -> b)
                    .map(f -> new Load(
                            Double.parseDouble(f[1]), Double.parseDouble(f[4]) * 1e6, Double.parseDouble(f[6]) * 1e6));
        }
    },
    /** {@code psql} with timing on: the results, and after each "Time: 12.345 ms". */
    PSQL_TIMING("psql-timing") {
        private static final Pattern TIME = Pattern.compile("(?m)^Time: ([0-9.]+) ms.*$");

        @Override
        public Optional<Load> parse(String output) {
            double[] times = TIME.matcher(output)
                    .results()
                    .mapToDouble(m -> Double.parseDouble(m.group(1)))
                    .sorted()
                    .toArray();
            double sum = Arrays.stream(times).sum();
            return sum == 0
                    ? Optional.empty()
                    : Optional.of(new Load(1e3 * times.length / sum, at(times, 0.50) * 1e6, at(times, 0.99) * 1e6));
        }

        private static double at(double[] sorted, double part) {
            return sorted[(int) Math.ceil(part * sorted.length) - 1];
        }

        @Override
        public String replies(String output) {
            return TIME.matcher(output).replaceAll("");
        }
    },
    /** {@code ab}: "Requests per second", and the lines "50%" and "99%" in milliseconds. */
    AB("ab") {
        private static final Pattern RATE = Pattern.compile("(?m)^Requests per second: +([0-9.]+)");
        private static final Pattern MEDIAN = Pattern.compile("(?m)^ +50% +([0-9.]+)");
        private static final Pattern P99 = Pattern.compile("(?m)^ +99% +([0-9.]+)");

        @Override
        public Optional<Load> parse(String output) {
            return number(RATE, output)
                    .map(rate -> new Load(
                            rate,
                            number(MEDIAN, output).orElse(0.0) * 1e6,
                            number(P99, output).orElse(0.0) * 1e6));
        }
    };

    /**
     * What a load generator measured.
     *
     * @param throughput requests per second
     * @param p50Ns median latency in nanoseconds; 0 if it does not tell
     * @param p99Ns 99th percentile; 0 if it does not tell
     */
    public record Load(double throughput, double p50Ns, double p99Ns) {}

    private final String id;

    LoadFormat(String id) {
        this.id = id;
    }

    /** What the output says; empty if it is not of this format. */
    public abstract Optional<Load> parse(String output);

    /** What of the output tells the replies, without times; empty if nothing does. */
    public String replies(String output) {
        return "";
    }

    public static Optional<LoadFormat> find(String id) {
        return Arrays.stream(values()).filter(f -> f.id.equals(id)).findFirst();
    }

    public static String names() {
        return Arrays.stream(values()).map(f -> f.id).collect(Collectors.joining(", "));
    }

    private static Optional<Double> number(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        return matcher.find() ? Optional.of(Double.valueOf(matcher.group(1))) : Optional.empty();
    }
}
