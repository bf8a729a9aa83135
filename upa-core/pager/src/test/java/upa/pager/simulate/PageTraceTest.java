package upa.pager.simulate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PageTraceTest {
    @TempDir
    Path folder;

    private PageTrace read(String text) throws IOException, TraceException {
        Path file = folder.resolve("t");
        Files.writeString(file, text);
        return PageTrace.read(file);
    }

    private static List<Integer> pages(PageTrace trace) {
        return IntStream.range(0, trace.size()).map(trace::page).boxed().toList();
    }

    @Test
    void readsPageNumbers() throws Exception {
        PageTrace trace = read("# comment\n3\n\n*\n 5 \n3\n");
        assertEquals(List.of(3, 5, 3), pages(trace));
        assertEquals(512, trace.pages());
        assertEquals(2, trace.distinct());
        assertFalse(trace.isWrite(0));
    }

    @Test
    void readsRows() throws Exception {
        assertEquals(List.of(10, 11, 12, 4), pages(read("10 3 0 77\n4 1 0 78\n")));
    }

    @Test
    void readsAddresses() throws Exception {
        PageTrace trace = read("0x1000\nW 0x1fff\nR 0x2000\n");
        assertEquals(List.of(1, 1, 2), pages(trace));
        assertEquals(
                List.of(false, true, false),
                IntStream.range(0, 3).mapToObj(trace::isWrite).toList());
    }

    @Test
    void readsLackey() throws Exception {
        PageTrace trace = read("==12== Lackey\nI  04001000,3\n L 00001000,8\n"
                + " S 00001008,8\n M 00003000,4\n L 00001000,8\n--12-- x\n");
        assertEquals(List.of(1, 3, 1), pages(trace));
        assertEquals(
                List.of(true, true, false),
                IntStream.range(0, 3).mapToObj(trace::isWrite).toList());
    }

    @Test
    void readsCompressedFiles() throws Exception {
        Path file = folder.resolve("t.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
            out.write("1\n2\n".getBytes(StandardCharsets.US_ASCII));
        }
        assertEquals(List.of(1, 2), pages(PageTrace.read(file)));
    }

    @Test
    void neighboursStayNeighboursAndNoOthersBecomeSuch() throws Exception {
        PageTrace trace = read("0x7f0000000000\n0x7f00001ff000\n0x7f0000200000\n0x10000\n0x7fffffffe000\n");
        List<Integer> p = pages(trace);
        assertEquals(p.get(1) + 1, p.get(2));
        assertEquals(p.get(0) + 511, p.get(1));
        assertTrue(p.get(0) - p.get(3) > 512, p.toString());
        assertTrue(p.get(4) - p.get(2) > 512, p.toString());
        assertTrue(trace.pages() <= 7 * 512, "pages=" + trace.pages());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"x", "-1", "1.5", "0x", "0xg", "3 0", "3 99999999999", "R", "R 3 0x", " L zz,8", " L 1000", "+3"
            })
    void saysWhichLineItCannotRead(String line) {
        TraceException e = assertThrows(TraceException.class, () -> read("1\n" + line + "\n"));
        assertEquals(
                "cannot read trace file=" + folder.resolve("t")
                        + ": line=2 is neither page number, address nor lackey's",
                e.getMessage());
    }

    @Test
    void saysWhatIsWrongWithAFile() throws Exception {
        assertEquals(
                "cannot read trace file=" + folder.resolve("none") + ": there is no such file",
                assertThrows(TraceException.class, () -> PageTrace.read(folder.resolve("none")))
                        .getMessage());
        assertEquals(
                "cannot read trace file=" + folder + ": it is a directory",
                assertThrows(TraceException.class, () -> PageTrace.read(folder)).getMessage());
        assertEquals(
                "cannot read trace file=" + folder.resolve("t") + ": it has no accesses",
                assertThrows(TraceException.class, () -> read("# nothing\n")).getMessage());
        Path file = folder.resolve("cut.gz");
        Files.write(file, new byte[] {0x1f, (byte) 0x8b, 8, 0, 0});
        assertTrue(assertThrows(TraceException.class, () -> PageTrace.read(file))
                .getMessage()
                .startsWith("cannot read trace file=" + file + ": line=0: "));
        assertTrue(assertThrows(TraceException.class, () -> read("99999999999999999\n"))
                .getMessage()
                .endsWith(" is out of range"));
    }
}
