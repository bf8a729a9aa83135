package upa.measure.report;

import com.google.gson.Gson;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Opens pages in Chromium without a screen, and says what a reader would see. */
final class Browser {

    /**
     * What a reader sees.
     *
     * @param errors of scripts
     * @param innerWidth of the window, in pixels
     * @param pageWidth of what the page needs, in pixels
     * @param background of the page, as a CSS colour
     * @param ink of its text
     * @param charts in order
     */
    record Seen(
            List<String> errors,
            int innerWidth,
            int pageWidth,
            String background,
            String ink,
            List<SeenChart> charts) {}

    /**
     * What a reader sees of a chart.
     *
     * @param title in the caption
     * @param points of its data
     * @param marks the shapes drawn in a colour of the data
     * @param colours how many of the data's colours are to be seen
     * @param texts all that is written in it
     * @param unreadable texts that are smaller than 10 pixels, reach out of the chart or overlap another
     * @param plotShare the part of the width where marks are
     */
    record SeenChart(
            String title,
            int points,
            int marks,
            int colours,
            List<String> texts,
            List<String> unreadable,
            double plotShare) {}

    private static final List<String> NAMES =
            List.of("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome");
    private static final String MARK = "<pre id=\"seen\">";

    /** Ahead of the page's own scripts. */
    private static final String LISTEN = """
            <script>
            const errors = [];
            addEventListener("error", e => errors.push(e.message));
            addEventListener("unhandledrejection", e => errors.push(String(e.reason)));
            for (const name of ["error", "warn"]) console[name] = (...what) => errors.push(what.join(" "));
            </script>
            """;

    /** Behind them. */
    private static final String LOOK = """
            <script>
            setTimeout(() => {
              const rect = e => e.getBoundingClientRect();
              const style = getComputedStyle(document.body);
              const seen = { errors, innerWidth, pageWidth: document.documentElement.scrollWidth,
                background: style.backgroundColor, ink: style.color, charts: [] };
              for (const figure of document.querySelectorAll("figure")) {
                const element = figure.querySelector(".chart"), box = rect(element);
                const data = charts[Number(element.dataset.chart)];
                const texts = [...figure.querySelectorAll("svg text")].filter(t => t.textContent.trim());
                const marks = [...figure.querySelectorAll("svg path")].filter(p => rect(p).width + rect(p).height > 0);
                const unreadable = texts.filter(t => {
                  const a = rect(t);
                  return parseFloat(getComputedStyle(t).fontSize) < 10
                    || a.left < box.left - 1 || a.right > box.right + 1
                    || a.top < box.top - 1 || a.bottom > box.bottom + 1
                    || texts.some(other => {
                      const b = rect(other);
                      return other !== t && Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
                        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)
                          > 0.4 * Math.min(a.height, b.height);
                    });
                });
                const colours = new Set(data.series.map(s => s.colour));
                const has = (m, c) => m.getAttribute("fill") === c || m.getAttribute("stroke") === c;
                const own = marks.filter(m => [...colours].some(c => has(m, c)));
                const ends = own.flatMap(m => [rect(m).left, rect(m).right]);
                seen.charts.push({ title: figure.querySelector("b").textContent,
                  points: data.series.reduce((n, s) => n + s.points.length, 0), marks: own.length,
                  colours: [...colours].filter(c => own.some(m => has(m, c))).length,
                  texts: texts.map(t => t.textContent), unreadable: unreadable.map(t => t.textContent),
                  plotShare: ends.length ? (Math.max(...ends) - Math.min(...ends)) / box.width : 0 });
              }
              document.body.innerHTML = "";
              const pre = document.createElement("pre");
              pre.id = "seen";
              pre.textContent = JSON.stringify(seen);
              document.body.append(pre);
            }, 200);
            </script>
            """;

    private final String command;

    private Browser(String command) {
        this.command = command;
    }

    /** The first there is on PATH. */
    static Optional<Browser> find() {
        return NAMES.stream()
                .filter(name -> Stream.of(System.getenv("PATH").split(File.pathSeparator))
                        .anyMatch(folder -> Files.isExecutable(Path.of(folder, name))))
                .findFirst()
                .map(Browser::new);
    }

    /** What is seen of a page in a window of a width, by a reader who prefers dark or light pages. */
    Seen open(Path folder, String html, int width, boolean dark) throws IOException, InterruptedException {
        // The chart library holds such tags too, as text.
        int head = html.indexOf("</head>");
        int end = html.lastIndexOf("</body>");
        Path page = Files.writeString(
                Files.createTempFile(folder, "page", ".html"),
                html.substring(0, head) + LISTEN + html.substring(head, end) + LOOK + html.substring(end));
        Path said = Files.createTempFile(folder, "browser", ".log");
        Process process = new ProcessBuilder(
                        command,
                        "--headless",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--user-data-dir=" + folder.resolve("profile"),
                        "--window-size=" + width + ",800",
                        "--blink-settings=preferredColorScheme=" + (dark ? 0 : 1),
                        "--virtual-time-budget=10000",
                        "--dump-dom",
                        page.toUri().toString())
                .redirectError(said.toFile())
                .redirectOutput(folder.resolve("dom.html").toFile())
                .start();
        if (!process.waitFor(120, TimeUnit.SECONDS)) {
            process.destroyForcibly();
        }
        String dom = Files.readString(folder.resolve("dom.html"));
        int at = dom.indexOf(MARK);
        if (at < 0) {
            throw new IOException("the browser has not shown the page: command=" + command + " status="
                    + process.waitFor() + ": " + Files.readString(said, StandardCharsets.ISO_8859_1));
        }
        String json = dom.substring(at + MARK.length(), dom.indexOf("</pre>", at));
        return new Gson()
                .fromJson(json.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"), Seen.class);
    }
}
