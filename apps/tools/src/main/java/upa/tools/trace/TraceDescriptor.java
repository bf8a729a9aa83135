package upa.tools.trace;

/**
 * Layout of a trace file, version 1, little endian: the Java side of {@code upa/trace.h}, which is its specification.
 *
 * <pre>
 *   0      header, 4096 bytes
 *   4096   records, 32 bytes each
 * </pre>
 */
final class TraceDescriptor {

    static final long MAGIC = 0x3143415254415055L;
    static final int VERSION = 1;

    static final int HEADER_BYTES = 4096;
    static final int RECORD_BYTES = 32;

    static final int MAGIC_OFFSET = 0;
    static final int VERSION_OFFSET = 8;
    static final int HEADER_BYTES_OFFSET = 12;
    static final int RECORD_BYTES_OFFSET = 16;
    static final int PROCESS_OFFSET = 20;
    static final int STARTED_UNIX_NS_OFFSET = 24;
    static final int ENDED_NS_OFFSET = 32;
    static final int RECORDS_OFFSET = 40;
    static final int LOST_OFFSET = 48;
    static final int COMMAND_OFFSET = 56;
    static final int COMMAND_BYTES = 512;

    static final int RECORD_NS_OFFSET = 0;
    static final int RECORD_ADDRESS_OFFSET = 8;
    static final int RECORD_BYTES_ASKED_OFFSET = 16;
    static final int RECORD_THREAD_OFFSET = 24;
    static final int RECORD_KIND_OFFSET = 28;
    static final int RECORD_FLAGS_OFFSET = 29;
    static final int RECORD_DETAIL_OFFSET = 30;

    private TraceDescriptor() {}
}
