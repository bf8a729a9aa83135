package upa.pager.store;

import com.github.luben.zstd.ZstdCompressCtx;
import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import io.airlift.compress.v3.MalformedInputException;
import io.airlift.compress.v3.lz4.Lz4Compressor;
import io.airlift.compress.v3.lz4.Lz4Decompressor;
import java.lang.foreign.MemorySegment;

/** Compresses pages. Belongs to one thread. */
interface Codec {
    /** Most bytes that a page can become. */
    int MOST_BYTES = 4352;

    /**
     * Compresses.
     *
     * @param page 4096 bytes
     * @param to   at least {@link #MOST_BYTES}
     * @return bytes written
     */
    int compress(MemorySegment page, MemorySegment to);

    /**
     * Decompresses.
     *
     * @param from what {@link #compress} has written, perhaps damaged
     * @param page 4096 bytes
     * @return whether it was a page
     */
    boolean decompress(MemorySegment from, MemorySegment page);

    /** Fast: for what may come back soon. */
    final class Lz4 implements Codec {
        static {
            NativeLibraries.lz4();
        }

        private final Lz4Compressor compressor = Lz4Compressor.create();
        private final Lz4Decompressor decompressor = Lz4Decompressor.create();

        @Override
        public int compress(MemorySegment page, MemorySegment to) {
            return compressor.compress(page, to);
        }

        @Override
        public boolean decompress(MemorySegment from, MemorySegment page) {
            try {
                return decompressor.decompress(from, page) == PageIo.PAGE_BYTES;
            } catch (MalformedInputException | IllegalArgumentException | IndexOutOfBoundsException e) {
                return false;
            }
        }
    }

    /** A quarter smaller and four times slower: for the cold. */
    final class Zstd implements Codec {
        static {
            NativeLibraries.zstd();
        }

        private final ZstdCompressCtx compressor = new ZstdCompressCtx().setLevel(1);
        private final ZstdDecompressCtx decompressor = new ZstdDecompressCtx();

        @Override
        public int compress(MemorySegment page, MemorySegment to) {
            return compressor.compressDirectByteBuffer(
                    to.asByteBuffer(), 0, (int) to.byteSize(), page.asByteBuffer(), 0, PageIo.PAGE_BYTES);
        }

        @Override
        public boolean decompress(MemorySegment from, MemorySegment page) {
            try {
                return decompressor.decompressDirectByteBuffer(
                                page.asByteBuffer(), 0, PageIo.PAGE_BYTES, from.asByteBuffer(), 0, (int)
                                        from.byteSize())
                        == PageIo.PAGE_BYTES;
            } catch (ZstdException e) {
                return false;
            }
        }
    }
}
