package upa.tools.trace;

import java.util.Map;
import java.util.TreeMap;

/**
 * Which addresses are mapped by which request, as requests come and go. A block lives until its last page is unmapped;
 * what is mapped over it by force ends it there. A resize ends one block and begins another.
 */
final class LiveBlocks {

    /** A request that got memory. */
    static final class Block {

        final long bytes;
        final long bornNs;
        private long remaining;

        Block(long bytes, long bornNs) {
            this.bytes = bytes;
            this.bornNs = bornNs;
            remaining = bytes;
        }
    }

    /** Is told when the last page of a block goes. */
    interface End {

        void ended(Block block);
    }

    private record Extent(long end, Block block) {}

    private final TreeMap<Long, Extent> extents = new TreeMap<>();
    private final End end;
    private long bytes;

    LiveBlocks(End end) {
        this.end = end;
    }

    /** Bytes mapped now. */
    long bytes() {
        return bytes;
    }

    void add(long address, Block block) {
        remove(address, block.bytes);
        if (block.bytes > 0) {
            extents.put(address, new Extent(address + block.bytes, block));
            bytes += block.bytes;
        }
    }

    /** Takes a range away, whatever of it is there; the bytes that were. */
    long remove(long address, long length) {
        long to = address + length;
        long gone = 0;
        Map.Entry<Long, Extent> entry = extents.floorEntry(address);
        if (entry == null || entry.getValue().end <= address) {
            entry = extents.higherEntry(address);
        }
        while (entry != null && entry.getKey() < to) {
            long from = entry.getKey();
            Extent extent = entry.getValue();
            long cutFrom = Math.max(from, address);
            long cutTo = Math.min(extent.end, to);
            extents.remove(from);
            if (from < cutFrom) {
                extents.put(from, new Extent(cutFrom, extent.block));
            }
            if (cutTo < extent.end) {
                extents.put(cutTo, new Extent(extent.end, extent.block));
            }
            gone += cutTo - cutFrom;
            extent.block.remaining -= cutTo - cutFrom;
            if (extent.block.remaining == 0) {
                end.ended(extent.block);
            }
            entry = extents.higherEntry(cutTo - 1);
        }
        bytes -= gone;
        return gone;
    }
}
