package upa.core;

import static upa.core.RegionDescriptor.CHILD_BYTES;

import java.nio.file.Path;
import java.util.Objects;

/**
 * What a region of the back ends {@link BackEnd#PTE} and {@link BackEnd#PTE_RAW} is made with. Start from
 * {@link #guarded} or {@link #raw}.
 *
 * <p><b>Child processes</b> have none of the region. A program that this process starts ({@link ProcessBuilder}, by
 * whichever of the JDK's mechanisms) gets neither the mappings nor the device, and does not keep the region from being
 * closed. In the child of a fork() by native code a touch of the region is a SIGSEGV, a system call on it an EFAULT; so
 * what native code passes to exec must lie elsewhere. The parent notices nothing. Unlike in the C library, no copy of
 * the pages is made at a fork: it would cost each of them for the sake of a child in which Java cannot go on, since a
 * fork leaves it without the JVM's other threads.
 *
 * <p><b>The region stays on the device</b> until it is closed, and the frames count as locked memory so long. The C
 * library turns its region into ordinary memory when a program asks for what the device cannot do (protection, advice,
 * other mappings there), if it has one thread; a {@link Region} has no such operations, and a JVM never has one thread,
 * so another one could write to what is being copied. Who needs that, or direct I/O on the pages, copies the block to a
 * region of the back end linear.
 *
 * @param backEnd          {@link BackEnd#PTE} or {@link BackEnd#PTE_RAW}
 * @param poolBytes        size of the pool of page frames at first, rounded up to 2 MiB; 0 .. maxPoolBytes. The frames
 *                         count as locked memory (RLIMIT_MEMLOCK)
 * @param maxPoolBytes     size up to which the pool grows when nothing free is left in it, rounded up to 2 MiB;
 *                         1 .. {@link #MAX_BYTES}
 * @param maxDeferredBytes free pages may keep their frames, still mapped, up to so many bytes; 0 or more. An unmap that
 *                         exceeds it takes frames away from free pages, in one batch with one TLB shoot-down, until
 *                         half of it is left. Blocks that other threads are unmapping at this instant come on top
 * @param reclaim          guarded only: the memory of free pages, and of frames that stand at no page, is the kernel's
 *                         to take under memory pressure, page by page, without a call by this process; and
 *                         {@link Region#giveBack} returns it wherever it is in the pool, not only at its end. What
 *                         still has memory is preferred afterwards. A touch of what was taken brings zeroed memory.
 *                         All frames of the pool still count as locked memory
 * @param device           the module's device
 */
public record PteOptions(
        BackEnd backEnd, long poolBytes, long maxPoolBytes, long maxDeferredBytes, boolean reclaim, Path device) {
    /** Most bytes of a region of these back ends, and of its pool. */
    public static final long MAX_BYTES = 1L << 40;
    /** Where the module puts its device. */
    public static final Path DEVICE = Path.of("/dev/upa");

    /**
     * Checks the options.
     *
     * @throws IllegalArgumentException if one is out of range
     */
    public PteOptions {
        Objects.requireNonNull(device, "device=null");
        if (backEnd != BackEnd.PTE && backEnd != BackEnd.PTE_RAW) {
            throw new IllegalArgumentException("not a back end of the kernel module: backEnd=" + backEnd);
        }
        if (reclaim && backEnd != BackEnd.PTE) {
            throw new IllegalArgumentException(
                    "the module cannot take frames of raw tables: backEnd=" + backEnd + " reclaim=true");
        }
        if (maxPoolBytes < 1
                || maxPoolBytes > MAX_BYTES
                || poolBytes < 0
                || poolBytes > maxPoolBytes
                || maxDeferredBytes < 0) {
            throw new IllegalArgumentException("out of range: poolBytes=" + poolBytes
                    + " (0..maxPoolBytes) maxPoolBytes=" + maxPoolBytes + " (1.." + MAX_BYTES
                    + ") maxDeferredBytes=" + maxDeferredBytes + " (0 or more)");
        }
        poolBytes = roundUp(poolBytes);
        maxPoolBytes = roundUp(maxPoolBytes);
    }

    private static long roundUp(long bytes) {
        return (bytes + CHILD_BYTES - 1) / CHILD_BYTES * CHILD_BYTES;
    }

    /**
     * Options of the guarded back end, with a pool of one size and no bound on deferred unmapping but that.
     *
     * @param poolBytes size of the pool, 1 .. {@link #MAX_BYTES}
     * @return the options
     * @throws IllegalArgumentException if poolBytes is out of range
     */
    public static PteOptions guarded(long poolBytes) {
        return new PteOptions(BackEnd.PTE, poolBytes, poolBytes, Long.MAX_VALUE, false, DEVICE);
    }

    /**
     * Options of the raw back end, with a pool of one size and no bound on deferred unmapping but that. Needs the
     * module parameter raw=1 and CAP_SYS_RAWIO.
     *
     * @param poolBytes size of the pool, 1 .. {@link #MAX_BYTES}
     * @return the options
     * @throws IllegalArgumentException if poolBytes is out of range
     */
    public static PteOptions raw(long poolBytes) {
        return new PteOptions(BackEnd.PTE_RAW, poolBytes, poolBytes, Long.MAX_VALUE, false, DEVICE);
    }

    /**
     * Lets the pool grow.
     *
     * @param bytes see {@link #maxPoolBytes()}
     * @return the options with that changed
     * @throws IllegalArgumentException if bytes is out of range
     */
    public PteOptions withMaxPoolBytes(long bytes) {
        return new PteOptions(backEnd, poolBytes, bytes, maxDeferredBytes, reclaim, device);
    }

    /**
     * Bounds what stays mapped at free pages.
     *
     * @param bytes see {@link #maxDeferredBytes()}
     * @return the options with that changed
     * @throws IllegalArgumentException if bytes is out of range
     */
    public PteOptions withMaxDeferredBytes(long bytes) {
        return new PteOptions(backEnd, poolBytes, maxPoolBytes, bytes, reclaim, device);
    }

    /**
     * Lets the kernel take free frames, or not.
     *
     * @param allowed see {@link #reclaim()}
     * @return the options with that changed
     * @throws IllegalArgumentException if these are options of the raw back end
     */
    public PteOptions withReclaim(boolean allowed) {
        return new PteOptions(backEnd, poolBytes, maxPoolBytes, maxDeferredBytes, allowed, device);
    }

    /**
     * Names another device.
     *
     * @param path see {@link #device()}
     * @return the options with that changed
     */
    public PteOptions withDevice(Path path) {
        return new PteOptions(backEnd, poolBytes, maxPoolBytes, maxDeferredBytes, reclaim, path);
    }
}
