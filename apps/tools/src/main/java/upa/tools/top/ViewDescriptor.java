package upa.tools.top;

/**
 * Layout of what a process under UPA shows of itself, version 2, little endian, offsets in bytes: the Java side of
 * {@code upa/view.h}, which is its specification.
 */
final class ViewDescriptor {

    static final long MAGIC = 0x3130574549564155L;
    static final int VERSION = 2;
    static final int BYTES = 224;
    static final int ALIGNMENT = 64;

    static final int MAGIC_OFFSET = 0;
    static final int VERSION_OFFSET = 8;
    static final int BYTES_OFFSET = 12;
    static final int METADATA_OFFSET = 16;
    static final int PASSED_OFFSET = 24;
    static final int PURGES_OFFSET = 32;
    static final int PURGED_BYTES_OFFSET = 40;
    static final int HEAP_MOVES_OFFSET = 48;
    static final int HEAP_BYTES_OFFSET = 56;
    static final int HEAP_KEPT_BYTES_OFFSET = 64;
    static final int HEAP_REUSED_BYTES_OFFSET = 72;
    static final int HEAP_GIVEN_BACK_BYTES_OFFSET = 80;
    static final int AGENT_GIVEN_BACK_BYTES_OFFSET = 96;
    static final int AGENT_OFFSET = 104;
    static final int ORDER_OFFSET = 112;
    static final int ORDERS_DONE_OFFSET = 120;
    static final int ORDERED_BYTES_OFFSET = 128;
    static final int MARKED_BYTES_OFFSET = 136;
    static final int HEAP_LAZY_BYTES_OFFSET = 144;
    static final int BOUND_OFFSET = 152;
    static final int NOTE_OFFSET = 160;
    static final int NOTE_BYTES = 64;

    private ViewDescriptor() {}
}
