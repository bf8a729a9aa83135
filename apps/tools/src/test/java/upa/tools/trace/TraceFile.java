package upa.tools.trace;

import static upa.tools.trace.TraceDescriptor.*;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes traces for tests, byte by byte as {@code upa/trace.h} has them. */
final class TraceFile {

    private static final int MOST_RECORDS = 1000;

    final ByteBuffer bytes =
            ByteBuffer.allocate(HEADER_BYTES + MOST_RECORDS * RECORD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    private int records;
    private long ns;

    TraceFile() {
        bytes.put("UPATRAC1".getBytes(StandardCharsets.US_ASCII));
        bytes.putInt(8, 1).putInt(12, 4096).putInt(16, 32).putInt(20, 4711);
        command("/bin/program with arguments");
    }

    TraceFile command(String text) {
        bytes.put(56, text.getBytes(StandardCharsets.US_ASCII));
        return this;
    }

    TraceFile at(long nanoseconds) {
        ns = nanoseconds;
        return this;
    }

    TraceFile record(int kind, long address, long length, int flags, int detail) {
        return record(kind, address, length, flags, detail, 1);
    }

    TraceFile record(int kind, long address, long length, int flags, int detail, int thread) {
        int at = HEADER_BYTES + records++ * RECORD_BYTES;
        bytes.putLong(at, ns).putLong(at + 8, address).putLong(at + 16, length).putInt(at + 24, thread);
        bytes.put(at + 28, (byte) kind).put(at + 29, (byte) flags).putShort(at + 30, (short) detail);
        return this;
    }

    TraceFile map(long address, long length) {
        return record(1, address, length, TraceRecord.ANONYMOUS, 3);
    }

    TraceFile served(long address, long length) {
        return record(1, address, length, TraceRecord.ANONYMOUS | TraceRecord.SERVED, 3);
    }

    TraceFile unmap(long address, long length) {
        return record(2, address, length, 0, 0);
    }

    /** The file of a process that has ended by exit() at that time. */
    Path write(Path file, long endedNs) throws IOException {
        bytes.putLong(32, endedNs).putLong(40, records);
        return Files.write(file, head(HEADER_BYTES + records * RECORD_BYTES));
    }

    /** The file of a process that was killed: zeros behind the records. */
    Path writeKilled(Path file) throws IOException {
        return Files.write(file, bytes.array());
    }

    byte[] head(int length) {
        return java.util.Arrays.copyOf(bytes.array(), length);
    }
}
