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
import java.util.List;
import org.junit.jupiter.api.Test;
import upa.pager.live.PagerException;

class PagerMetricsTest {
    private static final String STATUS = """
                  71  python3           stride+clock              bound 256 MiB, resident 250 MiB, stored 90 MiB
                  72  a  name of two    far below its bound       bound 256 MiB, resident 0 MiB, stored 0 MiB
                  73  gone              clock                     bound 256 MiB, resident 0 MiB, stored 0 MiB
            """;
    private static final String STATISTICS = """
            bound, pages                                            65536
            resident, pages                                         64000
            outside of memory, pages                                  100
            faults on evicted pages                                    12
              of these soon after eviction                              3
            something that is new                                       9
            store lz4 (of this process): pages 100, bytes 65536 of 1073741824, written 120, read 12, refused 4,\
             failed 0
            """;

    private static final PagerMetrics METRICS = new PagerMetrics(new PagerMetrics.Source() {
        @Override
        public String status() {
            return STATUS;
        }

        @Override
        public String statistics(int pid) throws PagerException {
            if (pid == 73) {
                throw new PagerException("it is gone");
            }
            return STATISTICS;
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
                "upa_pager_faults_total{pid=\"71\",program=\"python3\"} 12.0",
                "upa_pager_refaults_total{pid=\"71\",program=\"python3\"} 3.0",
                "# TYPE upa_pager_resident_bytes gauge",
                "upa_pager_resident_bytes{pid=\"71\",program=\"python3\"} 2.62144E8",
                "upa_pager_store_used_bytes{pid=\"71\",program=\"python3\",store=\"lz4\"} 65536.0",
                "upa_pager_store_limit_bytes{pid=\"71\",program=\"python3\",store=\"lz4\"} 1.073741824E9",
                "upa_pager_store_read_total{pid=\"71\",program=\"python3\",store=\"lz4\"} 12.0")) {
            assertTrue(text.lines().anyMatch(line::equals), line + " in " + text);
        }
        assertTrue(text.contains("pid=\"72\""), text);
        assertTrue(!text.contains("pid=\"73\"") && !text.contains("new"), text);
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
                "upa: pager: the command is: pager --metrics [PORT|once]; got arguments=0: see ./upa pager --help\n",
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
