package upa.core;

import static upa.core.RegionDescriptor.CHILD_BYTES;

import java.nio.file.Path;
import java.util.Objects;

/**
 * What a region of the back ends {@link BackEnd#PTE} and {@link BackEnd#PTE_RAW} is made with. Start from
 * {@link #guarded} or {@link #raw}.
 *
 * @param backEnd          {@link BackEnd#PTE} or {@link BackEnd#PTE_RAW}
 * @param poolBytes        size of the pool of page frames at first, rounded up to 2 MiB; 0 .. maxPoolBytes. The frames
 *                         count as locked memory (RLIMIT_MEMLOCK)
 * @param maxPoolBytes     size up to which the pool grows when nothing free is left in it, rounded up to 2 MiB;
 *                         1 .. {@link #MAX_BYTES}
 * @param maxDeferredBytes free pages may keep their frames, still mapped, up to so many bytes; 0 or more. An unmap that
 *                         exceeds it takes frames away from free pages, in one batch with one TLB shoot-down, until half
 *                         of it is left. Blocks that other threads are unmapping at this instant come on top
 * @param device           the module's device
 */
public record PteOptions(BackEnd backEnd, long poolBytes, long maxPoolBytes, long maxDeferredBytes, Path device) {
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
        Objects.requireNonNull(device, "device");
        if (backEnd != BackEnd.PTE && backEnd != BackEnd.PTE_RAW) {
            throw new IllegalArgumentException("not a back end of the kernel module: backEnd=" + backEnd);
        }
        if (maxPoolBytes < 1 || maxPoolBytes > MAX_BYTES || poolBytes < 0 || poolBytes > maxPoolBytes || maxDeferredBytes < 0) {
            throw new IllegalArgumentException("out of range: poolBytes=" + poolBytes + " (0..maxPoolBytes) maxPoolBytes="
                    + maxPoolBytes + " (1.." + MAX_BYTES + ") maxDeferredBytes=" + maxDeferredBytes + " (0 or more)");
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
        return new PteOptions(BackEnd.PTE, poolBytes, poolBytes, Long.MAX_VALUE, DEVICE);
    }

    /**
     * Options of the raw back end, with a pool of one size and no bound on deferred unmapping but that. Needs the module
     * parameter raw=1 and CAP_SYS_RAWIO.
     *
     * @param poolBytes size of the pool, 1 .. {@link #MAX_BYTES}
     * @return the options
     * @throws IllegalArgumentException if poolBytes is out of range
     */
    public static PteOptions raw(long poolBytes) {
        return new PteOptions(BackEnd.PTE_RAW, poolBytes, poolBytes, Long.MAX_VALUE, DEVICE);
    }

    /**
     * Lets the pool grow.
     *
     * @param bytes see {@link #maxPoolBytes()}
     * @return the options with that changed
     * @throws IllegalArgumentException if bytes is out of range
     */
    public PteOptions withMaxPoolBytes(long bytes) {
        return new PteOptions(backEnd, poolBytes, bytes, maxDeferredBytes, device);
    }

    /**
     * Bounds what stays mapped at free pages.
     *
     * @param bytes see {@link #maxDeferredBytes()}
     * @return the options with that changed
     * @throws IllegalArgumentException if bytes is out of range
     */
    public PteOptions withMaxDeferredBytes(long bytes) {
        return new PteOptions(backEnd, poolBytes, maxPoolBytes, bytes, device);
    }

    /**
     * Names another device.
     *
     * @param path see {@link #device()}
     * @return the options with that changed
     */
    public PteOptions withDevice(Path path) {
        return new PteOptions(backEnd, poolBytes, maxPoolBytes, maxDeferredBytes, path);
    }
}
