package upa.pager.simulate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RecordingTest {
    private static final String TEXT = """
            # upa recording 1 pid=71 name=python3
            t 1200 64 3
            s 1250 100 300 128 5 200
            f 1310 64 w 71
            i 1334 64 23800
            f 1350 70 r 72
            r 1400 65
            p 1500 66
            d 1600 64 8
            """;

    @TempDir
    Path folder;

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("r"), text);
    }

    @Test
    void eachLineIsAnEvent() throws Exception {
        Recording recording = Recording.read(file(TEXT));
        assertEquals("pid=71 name=python3", recording.title());
        assertEquals(8, recording.events().size());
        assertEquals(
                new Recording.Event('t', 1200, 64, 3, false, List.of()),
                recording.events().get(0));
        assertEquals(
                new Recording.Event('s', 1250, 100, 1, false, List.of(300L, 128L, 5L, 200L)),
                recording.events().get(1));
        assertEquals(
                new Recording.Event('f', 1310, 64, 71, true, List.of()),
                recording.events().get(2));
        assertEquals(
                new Recording.Event('i', 1334, 64, 23800, false, List.of()),
                recording.events().get(3));
        assertEquals(
                new Recording.Event('r', 1400, 65, 1, false, List.of()),
                recording.events().get(5));
        assertEquals(
                new Recording.Event('d', 1600, 64, 8, false, List.of()),
                recording.events().get(7));
    }

    @Test
    void asATraceItHasWhatIsSeenOfTheAccesses() throws Exception {
        PageTrace trace = PageTrace.read(file(TEXT));
        assertEquals(
                List.of(64, 65, 66, 64, 70, 65),
                IntStream.range(0, trace.size()).mapToObj(trace::page).toList());
        assertEquals(
                List.of(true, true, true, true, false, false),
                IntStream.range(0, trace.size()).mapToObj(trace::isWrite).toList());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "x 1 2 3",
                "t 1 2",
                "t 1 2 3 4",
                "t 1 -2 3",
                "f 1 2 x 3",
                "f 1 2 r",
                "f 1 2 r 3 4",
                "s 1 2 3 4 5",
                "r 1",
                "r 1 2 3",
                "t 1 2 99999999999999999999",
                "tt 1 2 3",
                "",
                "s 1 2 3 4 5 6 7 8"
            })
    void whatIsNoEventIsSaid(String line) throws IOException {
        Path file = file(Recording.HEADER + "x\nt 1 2 3\n" + line + "\n");
        TraceException e = assertThrows(TraceException.class, () -> Recording.read(file));
        assertEquals("cannot read recording file=" + file + ": line=3 is no event", e.getMessage());
        assertTrue(assertThrows(TraceException.class, () -> PageTrace.read(file))
                .getMessage()
                .contains("line=3"));
    }

    @Test
    void anotherFileIsNoRecording() throws IOException {
        Path file = file("1\n2\n");
        TraceException e = assertThrows(TraceException.class, () -> Recording.read(file));
        assertEquals("cannot read recording file=" + file + ": it is none of upa policy record", e.getMessage());
        Path none = folder.resolve("none");
        assertEquals(
                "cannot read recording file=" + none + ": there is no such file",
                assertThrows(TraceException.class, () -> Recording.read(none)).getMessage());
        assertEquals(
                "cannot read recording file=" + folder + ": it is a directory",
                assertThrows(TraceException.class, () -> Recording.read(folder)).getMessage());
    }
}
