package upa.bench;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import upa.bench.results.JmhResults;
import upa.measure.MeasureException;

/** Runs the benchmarks of package {@code upa.bench.jmh}, each in JVMs of its own. */
final class Jmh {

    private static final String PACKAGE = "upa.bench.jmh.";

    private Jmh() {}

    static JmhResults run(Settings settings, PrintStream progress) throws MeasureException {
        progress.println("upa bench: JMH benchmarks of the Java API ("
                + (settings.full() ? "about ten minutes" : "about two minutes") + ")");
        var options = new OptionsBuilder()
                .include("^" + PACKAGE.replace(".", "\\."))
                .mode(Mode.AverageTime)
                .timeUnit(TimeUnit.NANOSECONDS)
                .forks(settings.full() ? 3 : 1)
                .warmupIterations(3)
                .warmupTime(TimeValue.milliseconds(400))
                .measurementIterations(5)
                .measurementTime(TimeValue.milliseconds(400))
                .shouldFailOnError(true)
                .verbosity(VerboseMode.SILENT)
                .jvmArgsAppend(
                        "--enable-native-access=ALL-UNNAMED",
                        // JMH and netty use Unsafe, of which the JVM warns.
                        "--sun-misc-unsafe-memory-access=allow",
                        "-Dupa.library.path=" + System.getProperty("upa.library.path", "build/release/lib"));
        try {
            Map<String, List<Double>> scores = new TreeMap<>();
            for (RunResult run : new org.openjdk.jmh.runner.Runner(options.build()).run()) {
                List<Double> values = scores.computeIfAbsent(name(run.getParams()), k -> new ArrayList<>());
                for (BenchmarkResult fork : run.getBenchmarkResults()) {
                    for (IterationResult iteration : fork.getIterationResults()) {
                        values.add(iteration.getPrimaryResult().getScore());
                    }
                }
            }
            return new JmhResults(scores);
        } catch (RunnerException e) {
            throw MeasureException.failure("a JMH benchmark failed: " + e.getMessage());
        }
    }

    /** Such as ArenaBenchmark.pageArena:bytes=1048576. */
    private static String name(BenchmarkParams params) {
        String values = params.getParamsKeys().stream()
                .sorted()
                .map(key -> key + "=" + params.getParam(key))
                .collect(Collectors.joining(","));
        return params.getBenchmark().substring(PACKAGE.length()) + (values.isEmpty() ? "" : ":" + values);
    }
}
