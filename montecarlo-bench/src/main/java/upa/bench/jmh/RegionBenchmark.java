package upa.bench.jmh;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import upa.core.Region;

/** What allocating and freeing alone costs in Java, by size: nobody touches the block. */
@State(Scope.Thread)
public class RegionBenchmark {

    private static final long REGION_BYTES = 4L << 30;

    /** Size of the block. */
    @Param({"4096", "65536", "1048576", "1073741824"})
    public long bytes;

    private Region region;

    /** A region of which nothing is populated: a block that nobody touches needs no memory. */
    @Setup
    public void open() {
        region = Region.create(REGION_BYTES);
    }

    /** Gives the addresses back. */
    @TearDown
    public void close() {
        region.close();
    }

    /**
     * UPA.
     *
     * @return the address
     */
    @Benchmark
    public long region() {
        long address = region.map(bytes);
        region.unmap(address, bytes);
        return address;
    }

    /**
     * The kernel's mmap and munmap through FFM.
     *
     * @return the address
     */
    @Benchmark
    public long mmap() {
        var block = KernelPages.map(bytes);
        KernelPages.unmap(block);
        return block.address();
    }
}
