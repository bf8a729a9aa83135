package upa.internal.region.linear;

import static upa.core.RegionDescriptor.*;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import upa.internal.os.RawMemory;
import upa.internal.region.Rounding;
import upa.llfree.LlFree;
import upa.llfree.LlFreeDescriptor;

/** Where everything is in a region of so many bytes and slots: the one place that knows. */
record Layout(int slots, long dataBytes, long stateOffset, long stateBytes, long dataOffset, long fileBytes) {
    static boolean isPossible(long bytes, int slots) {
        return bytes > 0 && bytes <= MAX_BYTES && slots > 0 && slots <= LlFreeDescriptor.MAX_SLOTS;
    }

    /** IllegalArgumentException if one of them is out of range. */
    static Layout of(long bytes, int slots, boolean shared) {
        if (!isPossible(bytes, slots)) {
            throw new IllegalArgumentException("out of range: bytes=" + bytes + " (1.." + MAX_BYTES + ")");
        }
        long dataBytes = Rounding.up(bytes, CHILD_BYTES);
        long stateOffset = Rounding.up(COUNTERS_OFFSET + (long) slots * COUNTERS_BYTES, PAGE_BYTES);
        long stateBytes = LlFree.stateSize(dataBytes / PAGE_BYTES, slots);
        long dataOffset = shared ? Rounding.up(stateOffset + stateBytes, CHILD_BYTES) : 0;
        return new Layout(slots, dataBytes, stateOffset, stateBytes, dataOffset, shared ? dataOffset + dataBytes : 0);
    }

    static Layout read(MemorySegment header) {
        return new Layout(
                header.get(ValueLayout.JAVA_INT, SLOTS_OFFSET),
                header.get(ValueLayout.JAVA_LONG, DATA_BYTES_OFFSET),
                header.get(ValueLayout.JAVA_LONG, STATE_OFFSET_OFFSET),
                header.get(ValueLayout.JAVA_LONG, STATE_BYTES_OFFSET),
                header.get(ValueLayout.JAVA_LONG, DATA_OFFSET_OFFSET),
                header.get(ValueLayout.JAVA_LONG, FILE_BYTES_OFFSET));
    }

    void write(long header) {
        RawMemory.putIntOpaque(header + ABI_OFFSET, ABI);
        RawMemory.putIntOpaque(header + SLOTS_OFFSET, slots);
        RawMemory.putLongOpaque(header + DATA_BYTES_OFFSET, dataBytes);
        RawMemory.putLongOpaque(header + STATE_OFFSET_OFFSET, stateOffset);
        RawMemory.putLongOpaque(header + STATE_BYTES_OFFSET, stateBytes);
        RawMemory.putLongOpaque(header + DATA_OFFSET_OFFSET, dataOffset);
        RawMemory.putLongOpaque(header + FILE_BYTES_OFFSET, fileBytes);
        RawMemory.putLongRelease(header + MAGIC_OFFSET, MAGIC);
    }

    long metadataBytes() {
        return Rounding.up(stateOffset + stateBytes, PAGE_BYTES);
    }

    /** IllegalArgumentException if something read from a file is not what it must be. */
    static void expect(String name, long expected, long found) {
        if (expected != found) {
            throw new IllegalArgumentException("contradictory: " + name + "=" + found + " expected=" + expected);
        }
    }
}
