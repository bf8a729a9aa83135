package upa.internal.region.linear;

import static upa.core.RegionDescriptor.CHILD_BYTES;
import static upa.core.RegionDescriptor.PAGE_BYTES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import upa.internal.bindings.Libc;
import upa.internal.os.MemoryCalls;
import upa.internal.region.RegionState;
import upa.internal.region.Rounding;

/**
 * Moves the kernel's page tables of private pages: mremap(2) with MREMAP_DONTUNMAP. Memory that is paged would leave
 * the pager's bound by that, so its bytes are moved.
 */
final class Tables {
    private static final int MOVE = Libc.MREMAP_MAYMOVE() | Libc.MREMAP_FIXED() | Libc.MREMAP_DONTUNMAP();

    private final LinearMemory memory;
    private final RegionState state;

    Tables(LinearMemory memory) {
        this.memory = memory;
        state = memory.state;
    }

    /**
     * Moves memory to pages that have none: the page tables where the kernel can, else the bytes. True if all of it
     * went by page tables, so that no memory stays behind at the source.
     */
    boolean move(long toPage, long fromPage, long pages) {
        long to = state.addressOf(toPage);
        long from = state.addressOf(fromPage);
        long length = pages << PAGE_SHIFT;
        boolean all = true;
        if (memory.paged()) {
            memory.copy(to, from, length);
            return false;
        }
        for (long done = 0, n; done < length; done += n) {
            n = oneMapping(from + done, length - done);
            if (MemoryCalls.mremap(from + done, n, n, MOVE, to + done) != to + done) {
                // Short of memory, the kernel may have left the target unmapped.
                memory.remap(to + done, n);
                memory.copy(to + done, from + done, n);
                all = false;
            }
        }
        return all;
    }

    /**
     * The same by whole children, as far as page tables can be moved. Returns how many pages have been; what is behind
     * them is as it was, and the target has no memory there.
     */
    long moveSome(long toPage, long fromPage, long pages) {
        long to = state.addressOf(toPage);
        long from = state.addressOf(fromPage);
        long length = pages << PAGE_SHIFT;
        long done = 0;
        while (!memory.paged() && done < length) {
            long n = oneMapping(from + done, length - done) / CHILD_BYTES * CHILD_BYTES;
            if (n == 0) {
                break;
            }
            if (MemoryCalls.mremap(from + done, n, n, MOVE, to + done) != to + done) {
                memory.remap(to + done, n);
                break;
            }
            done += n;
        }
        return done >> PAGE_SHIFT;
    }

    /**
     * How much of a range, from its start, the kernel has as one mapping. It refuses (EFAULT) to grow several of them
     * in place, and one, since the page behind is mapped, for want of room. To be known before MREMAP_FIXED: kernels
     * before 6.17 refuse several mappings only after they have unmapped the target, where another thread's mmap may
     * then land.
     */
    private long oneMapping(long address, long length) {
        while (!isOneMapping(address, length)) {
            length = Rounding.up(length / 2, length > CHILD_BYTES ? CHILD_BYTES : PAGE_BYTES);
        }
        return length;
    }

    private boolean isOneMapping(long address, long length) {
        if (address + length == state.base + state.bytes) {
            return length == PAGE_BYTES;
        }
        long result = MemoryCalls.mremap(address, length, length + PAGE_BYTES, 0, 0);
        if (result == address) {
            // Something has left a hole behind.
            MemoryCalls.munmap(address + length, PAGE_BYTES);
        }
        return result != -Libc.EFAULT();
    }
}
