package upa.counts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import upa.counts.data.Counts;
import upa.counts.data.CountsFigures;
import upa.counts.data.PageCosts;
import upa.measure.Console;
import upa.measure.Figure;
import upa.measure.Figure.Verdict;
import upa.measure.Machine;
import upa.measure.MeasureException;

class CountsTest {

    private static final long[] SIZES = {1, 64, 512, 4096, 262144};

    @TempDir
    Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private static void add(List<String> lines, String backend, String operation, long pages, double total) {
        lines.add("page_cost,%s,%s,%d,%d,0,instructions,%.0f,%.2f"
                .formatted(backend, operation, pages * 4096, pages, total, total / pages));
    }

    /** Backends whose cost is so much a request and so much a page. */
    private static List<String> lines() {
        List<String> lines = new ArrayList<>(List.of("# fact Kernel Linux 9.9", Counts.HEADER, "# a remark"));
        for (long pages : SIZES) {
            for (String kernel : List.of("kernel", "kernel-populate", "kernel-thp")) {
                add(lines, kernel, "allocate", pages, 7000);
                add(lines, kernel, "touch", pages, 3500.0 * pages);
                add(lines, kernel, "touch-huge", pages, 1075.0 * pages);
                add(lines, kernel, "reuse", pages, 4.0 * pages);
                add(lines, kernel, "free", pages, 5000 + 1000.0 * pages);
                add(lines, kernel, "realloc", pages, 30000);
            }
            for (String backend : List.of("guarded-batch", "guarded-fault", "raw-pte", "raw-pmd")) {
                double scale = backend.startsWith("guarded") ? 3 : 1;
                double entries = backend.equals("raw-pmd") ? 3 * Math.ceil(pages / 512.0) : pages;
                add(lines, backend, "allocate", pages, 6 * scale * entries);
                add(lines, backend, "touch", pages, 4.0 * pages);
                add(lines, backend, "touch-huge", pages, 4 * Math.ceil(pages / 512.0));
                add(lines, backend, "reuse", pages, 4.0 * pages);
                add(lines, backend, "clear", pages, 5 * scale * entries);
                add(lines, backend, "flush", pages, 3000 * scale);
                add(lines, backend, "free", pages, 5 * scale * entries + 3000 * scale);
                add(lines, backend, "realloc", pages, 3000 + 10 * entries);
            }
        }
        for (String scattered : List.of("scattered", "contiguous")) {
            lines.add("shootdown,batched," + scattered + ",4096,1,1,instructions,3600,3600.00");
        }
        lines.add("harvest_cost,harvest,1%,2097152,512,1,instructions,5120,10.00");
        for (String operation : List.of("cycle", "first", "realloc")) {
            lines.add("dlmalloc,kernel," + operation + ",1048576,256,0,instructions,1024000,4000.00");
            lines.add("dlmalloc,pte-raw," + operation + ",1048576,256,0,instructions,5120,20.00");
        }
        lines.add("dlmalloc,kernel,mixed,1048576,256,0,instructions,768000,3000.00");
        return lines;
    }

    private static PageCosts costs() throws MeasureException {
        return new PageCosts(Counts.parse("counts.csv", lines()));
    }

    @Test
    void factsAndRemarksStandApartFromRows() throws MeasureException {
        Counts counts = Counts.parse("counts.csv", lines());
        assertEquals("Linux 9.9", counts.facts().get("Kernel"));
        assertEquals(List.of("a remark"), counts.remarks());
        assertEquals(Optional.of(7000.0), counts.total("page_cost", "kernel", "allocate", 64));
        assertEquals(Optional.empty(), counts.total("page_cost", "kernel", "clear", 64));
        assertEquals(List.of(1L, 64L, 512L, 4096L, 262144L), counts.pages("page_cost", "raw-pte", "touch"));
    }

    @Test
    void malformedCountsNameTheLine() {
        for (String line : List.of("page_cost,kernel,touch", "page_cost,kernel,touch,4096,one,0,instructions,1,1")) {
            MeasureException e = assertThrows(
                    MeasureException.class, () -> Counts.parse("counts.csv", List.of(Counts.HEADER, line)));
            assertEquals("malformed counts: file=counts.csv line=" + line, e.getMessage());
        }
        assertThrows(
                MeasureException.class, () -> Counts.parse("counts.csv", List.of("a,b,c,d,1,0,u,1,1")), "no header");
        assertEquals(
                "no counts: file=counts.csv",
                assertThrows(MeasureException.class, () -> Counts.parse("counts.csv", List.of(Counts.HEADER)))
                        .getMessage());
    }

    @Test
    void clearingIsTakenOutOfTheKernelsRowsOnly() throws MeasureException {
        PageCosts costs = costs();
        assertEquals(12000 + 4500.0 * 64, costs.cost("kernel", 64).orElseThrow());
        assertEquals(12000 + 3988.0 * 64, costs.withoutClearing("kernel", 64).orElseThrow());
        assertEquals(
                costs.cost("raw-pte", 64).orElseThrow(),
                costs.withoutClearing("raw-pte", 64).orElseThrow());
        assertEquals(2, costs.clearings("kernel-thp", 512), "1075 a page: cleared twice");
        assertEquals(
                12000 + (1075 + 1000 - 1024) * 512.0,
                costs.hugeWithoutClearing("kernel-thp", 512).orElseThrow());
    }

    @Test
    void figuresTakeTheWorstSize() throws MeasureException {
        List<Figure> figures = CountsFigures.of(costs());
        assertFigure(figures.get(0), "75.8x", "256 KiB", Verdict.REACHED); // (12000 + 64 * 4500) / (3000 + 64 * 15)
        assertFigure(figures.get(2), "5.47x", "4 KiB", Verdict.MISSED); // (12000 + 4500) / (3000 + 15)
        Figure deferred = find(figures, "unmap deferred");
        assertFigure(deferred, "16896 instructions", "", Verdict.REACHED); // 512 * 3 * (6 + 5)
        assertFigure(find(figures, "guarded over raw"), "2.87x", "256 KiB", Verdict.REACHED); // (9000 + 64 * 37) / 3960
        assertFigure(find(figures, "slope"), "0", "", Verdict.REACHED);
        assertFigure(find(figures, "each further 2 MiB"), "33 instructions", "", Verdict.REACHED); // 3 * (6 + 5)
    }

    @Test
    void figuresNobodyMeasuredAreSaidToBe() throws MeasureException {
        List<String> kernelOnly = lines().stream()
                .filter(l -> !l.contains(",raw-") && !l.contains(",guarded-"))
                .toList();
        for (Figure figure : CountsFigures.of(new PageCosts(Counts.parse("counts.csv", kernelOnly)))) {
            assertEquals(Verdict.UNMEASURED, figure.verdict(), figure.name());
        }
    }

    private static Figure find(List<Figure> figures, String name) {
        return figures.stream().filter(f -> f.name().contains(name)).findFirst().orElseThrow();
    }

    private static void assertFigure(Figure figure, String measured, String where, Verdict verdict) {
        assertEquals(measured, figure.measured(), figure.name());
        assertEquals(where, figure.where(), figure.name());
        assertEquals(verdict, figure.verdict(), figure.name());
    }

    @Test
    void theReportHoldsWhatWasCollected() throws IOException {
        Files.write(folder.resolve("counts.csv"), lines());
        Files.write(
                folder.resolve("host.csv"),
                lines().stream()
                        .map(l -> l.replace("instructions", "nanoseconds"))
                        .toList());
        Files.writeString(
                folder.resolve("profile.csv"),
                "operation,function,instructions\nflush,zap_vma_ptes,75\nflush,ioctl,25\n");
        Files.createDirectories(folder.resolve("driver"));
        Files.writeString(
                folder.resolve("driver/kernel-touch"),
                "upa-driver 1\npoint warm 4096 1 1 9000000 0 0 0 1\ns 9000000\nend 1\n");
        Files.writeString(
                folder.resolve("driver/upa-uncleared-touch"),
                "upa-driver 1\npoint warm 4096 1 1 900000 0 0 0 1\ns 900000\nend 1\n");
        Files.writeString(folder.resolve("driver/upa-pte-touch.failed"), "upa-driver: no /dev/upa\n");
        assertEquals(0, run(folder.toString(), folder.toString()), err.toString(StandardCharsets.UTF_8));

        String text = out.toString(StandardCharsets.UTF_8);
        assertTrue(text.contains("raw-pte costs 5.47x (4 KiB) to 300x (1 GiB) less than the kernel"), text);
        assertTrue(text.contains("900 (10x)"), text);
        assertTrue(text.contains("than on the kernel's mmap: pte-raw: 200x (1 MiB)."), text);
        assertTrue(text.contains("20 (200x)"), text);
        assertTrue(text.contains("upa-pte, touch, was left out: upa-driver: no /dev/upa"), text);
        String html = Files.readString(folder.resolve("report.html"));
        assertTrue(html.contains("flush: 100 instructions") && html.contains("<td>75 %</td>"), "the profile");
        assertTrue(html.contains("dlmalloc, the same block again: allocate, touch, free"), "dlmalloc's chart");
        assertTrue(html.contains("Ratios by instructions counted and by time taken"), "the check");
        List<String> csv = Files.readAllLines(folder.resolve("results.csv"));
        assertEquals("where,program,backend,operation,bytes,batch,unit,total", csv.getFirst());
        assertTrue(csv.contains("host,page_cost,kernel,touch,262144,0,nanoseconds,224000.000"), csv.toString());
        assertTrue(csv.contains("vm,dlmalloc,pte-raw,cycle,1048576,0,instructions,5120.000"), csv.toString());
        assertTrue(csv.contains("vm,upa-driver touch,upa-uncleared,warm,4096,1,instructions,900.000"), csv.toString());
        JsonObject json = JsonParser.parseString(Files.readString(folder.resolve("results.json")))
                .getAsJsonObject();
        assertEquals(csv.size() - 1, json.getAsJsonArray("measurements").size());
        assertEquals(11, json.getAsJsonArray("figures").size());
    }

    @Test
    void withoutAHostTheCheckIsSaidToBeMissing() throws IOException {
        Files.write(folder.resolve("counts.csv"), lines());
        assertEquals(0, run(folder.toString(), folder.toString()));
        assertTrue(out.toString(StandardCharsets.UTF_8).contains("Check: not made"));
        assertFalse(Files.readString(folder.resolve("report.html")).contains("The host, where time was taken"));
    }

    @Test
    void withoutDlmallocItHasNoSection() throws IOException {
        Files.write(
                folder.resolve("counts.csv"),
                lines().stream().filter(l -> !l.startsWith("dlmalloc,")).toList());
        assertEquals(0, run(folder.toString(), folder.toString()));
        assertFalse(Files.readString(folder.resolve("report.html")).contains("dlmalloc on each back end"));
    }

    @Test
    void whatCannotBeReadIsOneLine() {
        assertEquals(1, run(folder.toString(), folder.toString()));
        String said = err.toString(StandardCharsets.UTF_8);
        assertTrue(
                said.startsWith("upa vm bench: cannot read counts: file=") && said.indexOf('\n') == said.length() - 1,
                said);
        assertEquals(2, run(folder.toString()));
    }

    private int run(String... args) {
        return Main.run(
                new Console(new PrintStream(out, true), new PrintStream(err, true), false), new Machine(folder), args);
    }
}
