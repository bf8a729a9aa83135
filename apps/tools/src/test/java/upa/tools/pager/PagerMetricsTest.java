package upa.tools.pager;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.prometheus.metrics.exporter.httpserver.HTTPServer;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import upa.pager.live.PagerCommand;
import upa.pager.live.PagerException;
import upa.pager.live.ProcessFigure;
import upa.pager.store.StoreStatistics;

class PagerMetricsTest {
    private static final PagerMetrics METRICS = new PagerMetrics(new PagerMetrics.Source() {
        @Override
        public List<PagerCommand.Program> programs() {
            return List.of(
                    new PagerCommand.Program(71, 1 << 28, 1 << 27, 0, "python3"),
                    new PagerCommand.Program(72, 1 << 28, 0, 0, "a  name of two"),
                    new PagerCommand.Program(73, 1 << 28, 0, 0, "gone"));
        }

        @Override
        public ProcessFigure.All figures(int pid) throws PagerException {
            if (pid == 73) {
                throw new PagerException("it is gone");
            }
            Map<ProcessFigure, Long> numbers = new EnumMap<>(ProcessFigure.class);
            for (ProcessFigure figure : ProcessFigure.values()) {
                numbers.put(figure, 1000L + figure.ordinal());
            }
            numbers.put(ProcessFigure.RESIDENT, 64000L);
            return new ProcessFigure.All(
                    numbers,
                    List.of(new ProcessFigure.OfStore("lz4", new StoreStatistics(100, 65536, 1 << 30, 120, 12, 4, 5))));
        }
    });

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String... arguments) {
        return Main.run(arguments, new PrintStream(out, true), new PrintStream(err, true));
    }

    private static void check(String text) {
        for (String line : List.of(
                "# TYPE upa_pager_faults counter",
                "# TYPE upa_pager_resident_bytes gauge",
                "upa_pager_bound_bytes{pid=\"71\",program=\"python3\"} 4096000.0",
                "upa_pager_resident_bytes{pid=\"71\",program=\"python3\"} 2.62144E8",
                "upa_pager_outside_bytes{pid=\"71\",program=\"python3\"} 4104192.0",
                "upa_pager_faults_total{pid=\"71\",program=\"python3\"} 1003.0",
                "upa_pager_refaults_total{pid=\"71\",program=\"python3\"} 1004.0",
                "upa_pager_first_touches_total{pid=\"71\",program=\"python3\"} 1005.0",
                "upa_pager_rescues_total{pid=\"71\",program=\"python3\"} 1006.0",
                "upa_pager_evictions_total{pid=\"71\",program=\"python3\"} 1007.0",
                "upa_pager_prefetches_total{pid=\"71\",program=\"python3\"} 1008.0",
                "upa_pager_refused_proposals_total{pid=\"71\",program=\"python3\"} 1009.0",
                "upa_pager_unmovable_total{pid=\"71\",program=\"python3\"} 1010.0",
                "upa_pager_direct_evictions_total{pid=\"71\",program=\"python3\"} 1011.0",
                "upa_pager_lost_total{pid=\"71\",program=\"python3\"} 1012.0",
                "upa_pager_store_pages{pid=\"71\",program=\"python3\",store=\"lz4\"} 100.0",
                "upa_pager_store_used_bytes{pid=\"71\",program=\"python3\",store=\"lz4\"} 65536.0",
                "upa_pager_store_limit_bytes{pid=\"71\",program=\"python3\",store=\"lz4\"} 1.073741824E9",
                "upa_pager_store_written_total{pid=\"71\",program=\"python3\",store=\"lz4\"} 120.0",
                "upa_pager_store_read_total{pid=\"71\",program=\"python3\",store=\"lz4\"} 12.0",
                "upa_pager_store_refused_total{pid=\"71\",program=\"python3\",store=\"lz4\"} 4.0",
                "upa_pager_store_failed_total{pid=\"71\",program=\"python3\",store=\"lz4\"} 5.0")) {
            assertTrue(text.lines().anyMatch(line::equals), line + " in " + text);
        }
        assertTrue(text.contains("pid=\"72\""), text);
        assertTrue(!text.contains("pid=\"73\""), text);
    }

    @Test
    void figuresAreMetrics() {
        assertEquals(0, Main.print(METRICS, new PrintStream(out, true), System.err));
        String text = out.toString(StandardCharsets.UTF_8);
        check(text);
        assertTrue(text.endsWith("# EOF\n"), text);
    }

    @Test
    void theyAreServedOnLoopbackAlone() throws Exception {
        try (HTTPServer server = Main.serve(0, METRICS);
                HttpClient client = HttpClient.newHttpClient()) {
            HttpResponse<String> answer = client.send(
                    HttpRequest.newBuilder(URI.create("http://localhost:" + server.getPort() + "/metrics"))
                            .header("Accept", "application/openmetrics-text; version=1.0.0")
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            assertEquals(200, answer.statusCode());
            check(answer.body());
            assertTrue(
                    answer.headers().firstValue("Content-Type").orElse("").startsWith("application/openmetrics-text"));
            // Nobody who asks by another address of this machine gets an answer.
            try (java.net.ServerSocket other =
                    new java.net.ServerSocket(server.getPort(), 1, java.net.InetAddress.getByName("127.0.0.2"))) {
                assertEquals(server.getPort(), other.getLocalPort());
            }
        }
    }

    @Test
    void aWrongCommandLineIsOneLine() {
        assertEquals(2, run("--metrics", "70000"));
        assertEquals(
                "upa: pager: option --metrics needs a port up to 65535, or once, got value=70000: see ./upa pager"
                        + " --help\n",
                err.toString(StandardCharsets.UTF_8));
        err.reset();
        assertEquals(2, run());
        assertEquals(
                "upa: pager: the command is: pager --metrics [PORT|once], or pager --regions; got arguments=0:"
                        + " see ./upa pager --help\n",
                err.toString(StandardCharsets.UTF_8));
        assertEquals("", out.toString(StandardCharsets.UTF_8));
    }

    @Test
    void aPortThatIsTakenIsSaid() throws Exception {
        try (HTTPServer server = Main.serve(0, METRICS)) {
            assertEquals(1, run("--metrics", Integer.toString(server.getPort())));
            assertTrue(
                    err.toString(StandardCharsets.UTF_8)
                            .startsWith("upa: cannot serve at port=" + server.getPort() + ": "),
                    err.toString(StandardCharsets.UTF_8));
        }
    }
}
