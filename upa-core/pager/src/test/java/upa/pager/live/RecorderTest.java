package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.pager.simulate.Recording;
import upa.policy.PageBatch.Cause;

class RecorderTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"plain", "packed.gz"})
    void whatIsWrittenCanBeRead(String name) throws Exception {
        Path file = folder.resolve(name);
        try (Recorder recorder = new Recorder(file, "pid=7 name=x")) {
            recorder.told(Cause.FIRST_TOUCH, new int[] {4, 5, 6, 9, 99}, 4);
            recorder.fault(5, 71, true);
            recorder.fault(5, 0, false);
            recorder.sample(1, 2, 3, 4, 5);
            recorder.told(Cause.FETCHED, new int[] {5}, 1);
            recorder.told(Cause.FETCHED, new int[] {5}, 1);
            recorder.told(Cause.RESCUED, new int[] {6, 4}, 2);
            recorder.told(Cause.PREFETCHED, new int[] {9}, 1);
            recorder.told(Cause.EVICTED, new int[] {9}, 1);
            recorder.told(Cause.UNMAPPED, new int[] {4, 5}, 2);
            assertEquals(9, recorder.events());
            assertEquals("", recorder.failure());
        }
        Recording recording = Recording.read(file);
        assertEquals("pid=7 name=x", recording.title());
        assertEquals(
                List.of(
                        "t 4 3",
                        "t 9 1",
                        "f 5 71 write",
                        "s 1 1 [2, 3, 4, 5]",
                        "i 5",
                        "r 6 1",
                        "r 4 1",
                        "p 9 1",
                        "d 4 2"),
                recording.events().stream()
                        .map(e -> e.kind() + " " + e.page() + (e.kind() == 'i' ? "" : " " + e.count())
                                + (e.write() ? " write" : "") + (e.more().isEmpty() ? "" : " " + e.more()))
                        .toList());
        long last = 0;
        for (Recording.Event event : recording.events()) {
            assertTrue(event.micros() >= last, recording.toString());
            last = event.micros();
        }
    }

    /** A page that went while a thread waited for it came in for another reason later. */
    @Test
    void aFaultThatEndedOtherwiseHasNoTime() throws Exception {
        Path file = folder.resolve("r");
        try (Recorder recorder = new Recorder(file, "x")) {
            recorder.fault(5, 71, false);
            recorder.told(Cause.FREED, new int[] {5}, 1);
            recorder.told(Cause.FETCHED, new int[] {5}, 1);
        }
        assertEquals(
                List.of('f', 'd'),
                Recording.read(file).events().stream()
                        .map(Recording.Event::kind)
                        .toList());
    }

    @Test
    void aFileThatCannotBeMadeIsSaid() {
        assertThrows(IOException.class, () -> new Recorder(folder.resolve("no/such"), "x"));
    }
}
