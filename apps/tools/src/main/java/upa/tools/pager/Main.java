package upa.tools.pager;

import io.prometheus.metrics.exporter.httpserver.HTTPServer;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import upa.measure.OneLine;
import upa.pager.live.Pager;
import upa.pager.live.PagerCommand;
import upa.pager.live.PagerException;
import upa.pager.live.ProcessFigure;

/**
 * {@code upa pager --metrics}: serves the figures of all paged programs of this user as OpenMetrics, on loopback.
 * {@code upa pager --regions}: pages regions of the kernel module.
 *
 * <p>Exit status: 0 done, 1 the port cannot be had, 2 the command line is wrong.
 */
public final class Main {
    /** Where it is served unless told otherwise: registered with nobody, as others do. */
    static final int PORT = 9464;

    private static final int MOST_PORT = 65535;
    private static final List<String> USAGE = List.of(
            "usage: ./upa pager --metrics [PORT|once]",
            "       ./upa pager --regions",
            "",
            "Figures of all programs of this user under ./upa run --policy: memory, faults, evictions, stores.",
            "Serves them at http://localhost:PORT/metrics (9464) until Ctrl-C, as OpenMetrics for who asks for that;",
            "once: prints them, and ends.",
            "--regions: pages regions of the kernel module whose owners, programs of this user, hand them over by",
            "upa_region_admit() or Region.admit(): until Ctrl-C. Who then takes its place goes on.");

    private Main() {}

    /**
     * Runs the command and exits.
     *
     * @param arguments its command line
     */
    public static void main(String[] arguments) {
        System.exit(run(arguments, System.out, System.err));
    }

    private static final class Pagers implements PagerMetrics.Source {
        @Override
        public List<PagerCommand.Program> programs() {
            return PagerCommand.programs();
        }

        @Override
        public ProcessFigure.All figures(int pid) throws PagerException {
            return PagerCommand.figures(pid);
        }
    }

    static int run(String[] arguments, PrintStream out, PrintStream err) {
        if (arguments.length == 1 && (arguments[0].equals("--help") || arguments[0].equals("-h"))) {
            USAGE.forEach(out::println);
            return 0;
        }
        if (arguments.length == 1 && arguments[0].equals("--regions")) {
            return serveRegions(err);
        }
        if (arguments.length == 0 || !arguments[0].equals("--metrics") || arguments.length > 2) {
            return usage(
                    err,
                    "the command is: pager --metrics [PORT|once], or pager --regions; got arguments="
                            + arguments.length);
        }
        String where = arguments.length == 1 ? Integer.toString(PORT) : arguments[1];
        if (where.equals("once")) {
            return print(new PagerMetrics(new Pagers()), out, err);
        }
        if (!where.matches("[0-9]{1,5}") || Integer.parseInt(where) > MOST_PORT) {
            return usage(err, "option --metrics needs a port up to 65535, or once, got value=" + where);
        }
        try (HTTPServer server = serve(Integer.parseInt(where), new PagerMetrics(new Pagers()))) {
            out.println("http://localhost:" + server.getPort() + "/metrics");
            out.flush();
            new CountDownLatch(1).await();
            return 0;
        } catch (IOException e) {
            err.println(OneLine.of("upa: cannot serve at port=" + where + ": " + e.getMessage()));
            return 1;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return 0;
        }
    }

    private static int serveRegions(PrintStream err) {
        try (Pager pager = Pager.ofRegions(OneLine::of, err::println)) {
            pager.run();
            return 0;
        } catch (PagerException e) {
            err.println(OneLine.of("upa: " + e.getMessage()));
            return 1;
        }
    }

    private static int usage(PrintStream err, String message) {
        err.println(OneLine.of("upa: pager: " + message + ": see ./upa pager --help"));
        return 2;
    }

    /** On loopback alone: nobody else's machine has to know what runs here. */
    static HTTPServer serve(int port, PagerMetrics metrics) throws IOException {
        PrometheusRegistry registry = new PrometheusRegistry();
        registry.register(metrics);
        return HTTPServer.builder()
                .inetAddress(InetAddress.getLoopbackAddress())
                .port(port)
                .registry(registry)
                .buildAndStart();
    }

    static int print(PagerMetrics metrics, PrintStream out, PrintStream err) {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        try {
            ExpositionFormats.init().getOpenMetricsTextFormatWriter().write(text, metrics.collect());
        } catch (IOException e) {
            err.println(OneLine.of("upa: cannot write metrics: " + e.getMessage()));
            return 1;
        }
        out.print(text.toString(StandardCharsets.UTF_8));
        return 0;
    }
}
