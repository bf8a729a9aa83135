package upa.core;

import upa.llfree.LlFreeDescriptor;

/**
 * Layout of a region's metadata: constants without behaviour, the same as in the C twin ({@code upa/region.h} and
 * {@code region.c}), which works on the same files.
 *
 * <p>ABI version 1, little endian, offsets in bytes. Metadata of a private region is anonymous memory; a shared region
 * is one file:
 * <pre>
 *   0                      header, 4096 bytes          header
 *   4096                   slots x 64 bytes, counters   0 +---------------------------------+
 *   STATE_OFFSET's value   state of the LlFree            |              MAGIC              |
 *   DATA_OFFSET's value    the pages (shared only),     8 +----------------+----------------+
 *                          2 MiB-aligned                  |      ABI       |     SLOTS      |
 *                                                      16 +----------------+----------------+
 *   counters (64 bytes)                                   |           DATA_BYTES            |
 *    0 +--------------------------------+              24 +---------------------------------+
 *      |         CLEARED_PAGES          |                 |          STATE_OFFSET           |
 *    8 +--------------------------------+              32 +---------------------------------+
 *      |          MOVED_PAGES           |                 |           STATE_BYTES           |
 *   16 +--------------------------------+              40 +---------------------------------+
 *      |        GIVEN_BACK_PAGES        |                 |           DATA_OFFSET           |
 *   24 +--------------------------------+              48 +---------------------------------+
 *      |         INTERNAL_GETS          |                 |           FILE_BYTES            |
 *   32 +--------------------------------+                 +---------------------------------+
 *      |         INTERNAL_PUTS          |
 *   40 +--------------------------------+
 *      |       INTERNAL_FAILURES        |
 *   48 +--------------------------------+
 *      |           SHORTAGES            |
 *   56 +--------------------------------+
 *      |          TAKEN_PAGES           |
 *      +--------------------------------+
 * </pre>
 */
public final class RegionDescriptor {
    /** The bytes "REGION01" at the start of every region. */
    public static final long MAGIC = 0x31304e4f49474552L;
    /** Version of the layout. */
    public static final int ABI = 1;

    /** Bytes of a page. */
    public static final long PAGE_BYTES = 1L << LlFreeDescriptor.PAGE_SHIFT;
    /** Bytes of a child, the unit in which a region is sized and aligned. */
    public static final long CHILD_BYTES = LlFreeDescriptor.CHILD_PAGES * PAGE_BYTES;
    /** Most bytes of a region. */
    public static final long MAX_BYTES = LlFreeDescriptor.MAX_PAGES * PAGE_BYTES;

    /** Offset of the magic (long), which is written last. */
    public static final int MAGIC_OFFSET = 0;
    /** Offset of the ABI version (int). */
    public static final int ABI_OFFSET = 8;
    /** Offset of the number of slots (int). */
    public static final int SLOTS_OFFSET = 12;
    /** Offset of the size of the pages in bytes (long). */
    public static final int DATA_BYTES_OFFSET = 16;
    /** Offset of the offset of the allocation state (long). */
    public static final int STATE_OFFSET_OFFSET = 24;
    /** Offset of the size of the allocation state in bytes (long). */
    public static final int STATE_BYTES_OFFSET = 32;
    /** Offset of the offset of the pages (long); 0 in a private region. */
    public static final int DATA_OFFSET_OFFSET = 40;
    /** Offset of the size of the file in bytes (long); 0 in a private region. */
    public static final int FILE_BYTES_OFFSET = 48;
    /** Bytes of the header's fields. */
    public static final int HEADER_BYTES = 56;

    /** Offset of the counters of the first slot. */
    public static final int COUNTERS_OFFSET = 4096;
    /** Bytes of the counters of one slot. */
    public static final int COUNTERS_BYTES = 64;
    /** Offset of the pages cleared for callers that needed zeros (long, atomic). */
    public static final int CLEARED_PAGES = 0;
    /** Offset of the pages moved by resize (long, atomic). */
    public static final int MOVED_PAGES = 8;
    /** Offset of the pages given back to the kernel (long, atomic). */
    public static final int GIVEN_BACK_PAGES = 16;
    /** Offset of the runs taken to work on free pages, or for a request that then failed (long, atomic). */
    public static final int INTERNAL_GETS = 24;
    /** Offset of the runs freed after that, and of further pieces of a run freed piece by piece (long, atomic). */
    public static final int INTERNAL_PUTS = 32;
    /** Offset of the runs looked for in vain that no caller asked for, or asked for once more (long, atomic). */
    public static final int INTERNAL_FAILURES = 40;
    /** Offset of the requests for which there were pages but no memory (long, atomic). */
    public static final int SHORTAGES = 48;
    /** Offset of the pages among those whose memory the kernel may take that were found without any (long, atomic). */
    public static final int TAKEN_PAGES = 56;

    private RegionDescriptor() {}
}
