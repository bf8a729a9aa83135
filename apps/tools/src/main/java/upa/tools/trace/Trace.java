package upa.tools.trace;

import static upa.tools.trace.TraceDescriptor.*;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.function.Consumer;

/**
 * A trace file. Nothing in it is trusted: what does not fit together is a {@link TraceException} that says where.
 *
 * <p>Not mapped but read, since a trace may be cut by its process at any time. One that is still being written ends
 * where it ended when it was opened. Not for several threads at once.
 */
public final class Trace implements AutoCloseable {

    private static final TraceRecord.Kind[] KINDS = TraceRecord.Kind.values();
    private static final int BATCH_RECORDS = 16384;

    private final Path file;
    private final FileChannel channel;
    private final ByteBuffer header;
    private final long records;

    private Trace(Path file, FileChannel channel) throws IOException, TraceException {
        this.file = file;
        this.channel = channel;
        header = read(0, HEADER_BYTES);
        checkHeader();
        long room = (channel.size() - HEADER_BYTES) / RECORD_BYTES;
        records = ended() ? header.getLong(RECORDS_OFFSET) : room;
        if (records < 0 || records > room) {
            throw broken("truncated: records=" + Long.toUnsignedString(records) + " found=" + room);
        }
    }

    /**
     * Opens a trace and checks its header.
     *
     * @param file its path
     * @return the trace
     * @throws TraceException if the file cannot be read, is no trace, is truncated, or is of another version
     */
    public static Trace open(Path file) throws TraceException {
        if (Files.isDirectory(file)) {
            throw new TraceException("cannot read trace file=" + file + ": it is a directory");
        }
        FileChannel channel = null;
        try {
            channel = FileChannel.open(file, StandardOpenOption.READ);
            Trace trace = new Trace(file, channel);
            channel = null;
            return trace;
        } catch (NoSuchFileException e) {
            throw new TraceException("cannot read trace file=" + file + ": there is no such file");
        } catch (IOException e) {
            throw new TraceException("cannot read trace file=" + file + ": " + e.getMessage());
        } finally {
            closeQuietly(channel);
        }
    }

    private static void closeQuietly(FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            // It has only been read from.
        }
    }

    /** As many of the bytes as there are. */
    private ByteBuffer read(long position, int bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining() && channel.read(buffer, position + buffer.position()) > 0) {
            continue;
        }
        return buffer.flip();
    }

    private TraceException broken(String why) {
        return new TraceException("not a trace: file=" + file + ": " + why);
    }

    private void checkHeader() throws TraceException {
        if (header.limit() < Long.BYTES || header.getLong(MAGIC_OFFSET) != MAGIC) {
            throw broken("it does not begin with UPATRAC1");
        }
        if (header.limit() < HEADER_BYTES) {
            throw broken("truncated: bytes=" + header.limit() + " of a header of " + HEADER_BYTES);
        }
        int version = header.getInt(VERSION_OFFSET);
        if (version != VERSION) {
            throw new TraceException("cannot read trace file=" + file + ": it is of version="
                    + Integer.toUnsignedString(version) + ", this program reads version " + VERSION);
        }
        int headerBytes = header.getInt(HEADER_BYTES_OFFSET);
        int recordBytes = header.getInt(RECORD_BYTES_OFFSET);
        if (headerBytes != HEADER_BYTES || recordBytes != RECORD_BYTES) {
            throw broken("header_bytes=" + headerBytes + " record_bytes=" + recordBytes);
        }
    }

    /** {@return the file} */
    public Path file() {
        return file;
    }

    /** {@return id of the process} */
    public int process() {
        return header.getInt(PROCESS_OFFSET);
    }

    /** {@return the process's command with its arguments, cut off after 511 bytes} */
    public String command() {
        byte[] text = new byte[COMMAND_BYTES];
        header.get(COMMAND_OFFSET, text);
        int length = 0;
        while (length < text.length && text[length] != 0) {
            length++;
        }
        return new String(text, 0, length, StandardCharsets.UTF_8);
    }

    /** {@return when the trace began} */
    public Instant started() {
        return Instant.ofEpochSecond(0, header.getLong(STARTED_UNIX_NS_OFFSET));
    }

    /**
     * {@return whether the process ended by exit(); if not, the last requests of a machine that crashed may be missing}
     */
    public boolean ended() {
        return header.getLong(ENDED_NS_OFFSET) != 0;
    }

    /** {@return from the beginning to the process's exit; zero if it has not ended so} */
    public Duration duration() {
        return Duration.ofNanos(header.getLong(ENDED_NS_OFFSET));
    }

    /** {@return requests without a record, since the file could not grow} */
    public long lost() {
        return header.getLong(LOST_OFFSET);
    }

    /**
     * Tells of every record, in order; from the start each time. Those that a killed process never wrote are left out.
     *
     * @param reader is told of each
     * @throws TraceException if one makes no sense, or the file cannot be read
     */
    public void forEach(Consumer<TraceRecord> reader) throws TraceException {
        for (long first = 0; first < records; first += BATCH_RECORDS) {
            ByteBuffer batch;
            try {
                batch = read(
                        HEADER_BYTES + first * RECORD_BYTES,
                        (int) Math.min(BATCH_RECORDS, records - first) * RECORD_BYTES);
            } catch (IOException e) {
                throw new TraceException("cannot read trace file=" + file + ": " + e.getMessage());
            }
            for (int at = 0; at + RECORD_BYTES <= batch.limit(); at += RECORD_BYTES) {
                if (batch.get(at + RECORD_KIND_OFFSET) != 0) {
                    reader.accept(record(first + at / RECORD_BYTES, batch, at));
                }
            }
        }
    }

    private TraceRecord record(long index, ByteBuffer batch, int at) throws TraceException {
        int kind = batch.get(at + RECORD_KIND_OFFSET) & 0xff;
        int flags = batch.get(at + RECORD_FLAGS_OFFSET) & 0xff;
        long ns = batch.getLong(at + RECORD_NS_OFFSET);
        long bytes = batch.getLong(at + RECORD_BYTES_ASKED_OFFSET);
        if (kind > KINDS.length || ns < 0 || (bytes < 0 && (flags & TraceRecord.FAILED) == 0)) {
            throw broken("record=" + index + " has kind=" + kind + " ns=" + Long.toUnsignedString(ns) + " bytes="
                    + Long.toUnsignedString(bytes));
        }
        return new TraceRecord(
                index,
                ns,
                KINDS[kind - 1],
                batch.getLong(at + RECORD_ADDRESS_OFFSET),
                bytes,
                batch.getInt(at + RECORD_THREAD_OFFSET),
                flags,
                batch.getShort(at + RECORD_DETAIL_OFFSET) & 0xffff);
    }

    @Override
    public void close() {
        closeQuietly(channel);
    }
}
