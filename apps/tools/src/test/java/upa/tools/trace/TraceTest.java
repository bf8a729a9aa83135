package upa.tools.trace;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TraceTest {

    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void name() {
        file = folder.resolve("t");
    }

    private static List<TraceRecord> records(Path file) throws TraceException {
        List<TraceRecord> records = new ArrayList<>();
        try (Trace trace = Trace.open(file)) {
            trace.forEach(records::add);
        }
        return records;
    }

    private String refused() {
        String message = assertThrows(TraceException.class, () -> records(file)).getMessage();
        assertEquals(1, message.lines().count());
        return message.replace(file.toString(), "FILE");
    }

    @Test
    void readsWhatIsThere() throws Exception {
        new TraceFile()
                .at(5)
                .served(0x7000_0000_0000L, 12345)
                .at(9)
                .record(5, 0x1000, 8192, TraceRecord.FAILED, 8, 77)
                .write(file, 20);
        assertEquals(
                List.of(
                        new TraceRecord(
                                0,
                                5,
                                TraceRecord.Kind.MAP,
                                0x7000_0000_0000L,
                                12345,
                                1,
                                TraceRecord.ANONYMOUS | TraceRecord.SERVED,
                                3),
                        new TraceRecord(1, 9, TraceRecord.Kind.ADVISE, 0x1000, 8192, 77, TraceRecord.FAILED, 8)),
                records(file));
        try (Trace trace = Trace.open(file)) {
            assertEquals(4711, trace.process());
            assertEquals("/bin/program with arguments", trace.command());
            assertTrue(trace.ended());
            assertEquals(Duration.ofNanos(20), trace.duration());
        }
    }

    @Test
    void endsWhereAKilledProcessStopped() throws Exception {
        new TraceFile()
                .map(0x1000, 4096)
                .record(0, 0, 0, 0, 0)
                .unmap(0x1000, 4096)
                .writeKilled(file);
        List<TraceRecord> records = records(file);
        assertEquals(List.of(0L, 2L), records.stream().map(TraceRecord::index).toList());
        try (Trace trace = Trace.open(file)) {
            assertFalse(trace.ended());
        }
    }

    @Test
    void readsMoreThanOneBatch() throws Exception {
        TraceFile one = new TraceFile().map(0x1000, 4096);
        byte[] bytes = java.util.Arrays.copyOf(one.head(4096 + 32), 4096 + 40_000 * 32);
        for (int i = 1; i < 40_000; i++) {
            System.arraycopy(bytes, 4096, bytes, 4096 + i * 32, 32);
        }
        Files.write(file, bytes);
        List<TraceRecord> records = records(file);
        assertEquals(40_000, records.size());
        assertEquals(39_999, records.getLast().index());
    }

    @Test
    void refusesWhatIsNoTrace() throws IOException {
        Files.writeString(file, "#!/bin/sh\necho hello\n");
        assertEquals("not a trace: file=FILE: it does not begin with UPATRAC1", refused());
        Files.writeString(file, "");
        assertEquals("not a trace: file=FILE: it does not begin with UPATRAC1", refused());
        Files.delete(file);
        assertEquals("cannot read trace file=FILE: there is no such file", refused());
        Files.createDirectory(file);
        assertEquals("cannot read trace file=FILE: it is a directory", refused());
    }

    @Test
    void refusesATruncatedTrace() throws IOException {
        TraceFile trace = new TraceFile().map(0x1000, 4096).map(0x2000, 4096);
        Files.write(file, trace.head(100));
        assertEquals("not a trace: file=FILE: truncated: bytes=100 of a header of 4096", refused());
        trace.write(file, 20);
        Files.write(file, trace.head(4096 + 40));
        assertEquals("not a trace: file=FILE: truncated: records=2 found=1", refused());
        trace.bytes.putLong(40, -1);
        Files.write(file, trace.head(4096 + 64));
        assertEquals("not a trace: file=FILE: truncated: records=18446744073709551615 found=2", refused());
    }

    @Test
    void refusesAnotherVersion() throws IOException {
        TraceFile trace = new TraceFile();
        trace.bytes.putInt(8, 2);
        trace.write(file, 20);
        assertEquals("cannot read trace file=FILE: it is of version=2, this program reads version 1", refused());
        trace.bytes.putInt(8, 1).putInt(16, 48);
        trace.write(file, 20);
        assertEquals("not a trace: file=FILE: header_bytes=4096 record_bytes=48", refused());
    }

    @Test
    void refusesRecordsThatMakeNoSense() throws IOException {
        new TraceFile().map(0x1000, 4096).record(8, 0, 0, 0, 0).write(file, 20);
        assertEquals("not a trace: file=FILE: record=1 has kind=8 ns=0 bytes=0", refused());
        new TraceFile().map(0x1000, -5).write(file, 20);
        assertEquals("not a trace: file=FILE: record=0 has kind=1 ns=0 bytes=18446744073709551611", refused());
        new TraceFile().at(-1).map(0x1000, 5).write(file, 20);
        assertEquals("not a trace: file=FILE: record=0 has kind=1 ns=18446744073709551615 bytes=5", refused());
    }
}
