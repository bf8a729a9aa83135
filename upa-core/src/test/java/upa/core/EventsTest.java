package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What JDK Flight Recorder hears of a region, if it asks. */
class EventsTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path directory;

    private List<RecordedEvent> record(boolean isAsked, Runnable work) throws IOException {
        Path file = directory.resolve("recording.jfr");
        try (Recording recording = new Recording()) {
            if (isAsked) {
                for (String name : List.of("upa.Map", "upa.Unmap", "upa.GiveBack", "upa.Scavenge", "upa.Populate")) {
                    recording.enable(name).withoutThreshold();
                }
            }
            recording.start();
            work.run();
            recording.stop();
            recording.dump(file);
        }
        return RecordingFile.readAllEvents(file).stream()
                .filter(e -> e.getEventType().getName().startsWith("upa."))
                .toList();
    }

    private static RecordedEvent only(List<RecordedEvent> events, String name, Region region) {
        List<RecordedEvent> found = events.stream()
                .filter(e -> e.getEventType().getName().equals(name) && e.getLong("region") == region.base())
                .toList();
        assertEquals(1, found.size(), () -> name + " in " + events);
        return found.getFirst();
    }

    @Test
    void largeBlocksAndWhatIsDoneInTheBackgroundAreRecorded() throws IOException {
        try (Region region = Region.create(64 * MIB)) {
            long[] address = new long[1];
            List<RecordedEvent> events = record(true, () -> {
                region.unmap(region.map(4096), 4096);
                assertEquals(4 * MIB, region.populate(4 * MIB));
                address[0] = region.map(3 * MIB);
                region.segment(address[0], 3 * MIB).fill((byte) 1);
                region.unmap(address[0], 3 * MIB);
                region.giveBack(0);
            });
            assertEquals(3 * MIB, only(events, "upa.Map", region).getLong("bytes"));
            assertEquals(address[0], only(events, "upa.Map", region).getLong("address"));
            assertEquals(3 * MIB, only(events, "upa.Unmap", region).getLong("bytes"));
            assertEquals(address[0], only(events, "upa.Unmap", region).getLong("address"));
            assertEquals(4 * MIB, only(events, "upa.Populate", region).getLong("bytes"));
            assertTrue(only(events, "upa.GiveBack", region).getLong("bytes") >= 3 * MIB);
            assertTrue(only(events, "upa.GiveBack", region).getDuration().toNanos() > 0);
        }
    }

    @Test
    void aScavengeIsRecorded() throws IOException {
        try (Region region = Region.create(64 * MIB)) {
            // Children 1 and 3 are free and have memory, and nowhere two of them lie side by side.
            for (int child = 0; child < 5; child++) {
                assertTrue(region.mapAt(region.base() + child * 2 * MIB, 2 * MIB, 0));
                region.segment(region.base() + child * 2 * MIB, 2 * MIB).fill((byte) 1);
            }
            region.unmap(region.base() + 2 * MIB, 2 * MIB);
            region.unmap(region.base() + 6 * MIB, 2 * MIB);
            List<RecordedEvent> events = record(true, () -> region.map(4 * MIB));
            long bytes = events.stream()
                    .filter(e -> e.getEventType().getName().equals("upa.Scavenge"))
                    .mapToLong(e -> e.getLong("bytes"))
                    .sum();
            assertEquals(4 * MIB, bytes);
            assertEquals(bytes, region.stats().movedBytes());
        }
    }

    @Test
    void nothingIsRecordedUnlessAskedFor() throws IOException {
        try (Region region = Region.create(64 * MIB)) {
            assertEquals(List.of(), record(false, () -> region.unmap(region.map(4 * MIB), 4 * MIB)));
        }
    }
}
