package upa.apps.workload;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class LoadFormatTest {

    @Test
    void upaLoad() {
        String line = "{\"requests\": 10, \"seconds\": 0.5, \"throughput\": 20.5, \"p50_us\": 30, \"p99_us\": 400,"
                + " \"check\": \"ab\"}\n";
        assertEquals(Optional.of(new LoadFormat.Load(20.5, 30_000, 400_000)), LoadFormat.UPA_LOAD.parse(line));
        assertEquals("\"ab\"", LoadFormat.UPA_LOAD.replies(line));
        assertTrue(LoadFormat.UPA_LOAD.parse("").isEmpty());
        assertTrue(LoadFormat.UPA_LOAD.parse("{\"seconds\": 1}").isEmpty());
        assertTrue(LoadFormat.UPA_LOAD.parse("{broken").isEmpty());
        assertEquals("", LoadFormat.UPA_LOAD.replies("{broken"));
    }

    @Test
    void psqlTiming() {
        String output = "7\nTime: 10.000 ms\nx|y\nTime: 1030.5 ms (00:01.030)\n8\nTime: 9.500 ms\n";
        LoadFormat.Load load = LoadFormat.PSQL_TIMING.parse(output).orElseThrow();
        assertEquals(3 / 1.05, load.throughput(), 1e-9);
        assertEquals(10e6, load.p50Ns());
        assertEquals(1030.5e6, load.p99Ns());
        assertEquals(
                LoadFormat.PSQL_TIMING.replies(output), LoadFormat.PSQL_TIMING.replies(output.replace("10.000", "11")));
        assertTrue(!LoadFormat.PSQL_TIMING
                .replies(output)
                .equals(LoadFormat.PSQL_TIMING.replies(output.replace("x|y", "x|z"))));
        assertTrue(LoadFormat.PSQL_TIMING.parse("nothing").isEmpty());
    }

    @Test
    void redisBenchmark() {
        String csv = """
            "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
            "SET","1000.0","1","1","2.5","3","4.5","9"
            """;
        assertEquals(Optional.of(new LoadFormat.Load(1000, 2.5e6, 4.5e6)), LoadFormat.REDIS_BENCHMARK.parse(csv));
        assertTrue(LoadFormat.REDIS_BENCHMARK.parse("error").isEmpty());
    }

    @Test
    void ab() {
        String text = "Requests per second:    123.45 [#/sec] (mean)\n  50%      3\n  99%     12\n 100%     20\n";
        assertEquals(Optional.of(new LoadFormat.Load(123.45, 3e6, 12e6)), LoadFormat.AB.parse(text));
        assertTrue(LoadFormat.AB.parse("failed").isEmpty());
    }
}
