package upa.core;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The contract vectors on the back end linear; {@link PteRegionContract} runs them on the device. */
class RegionVectorsTest implements RegionVectors.Maker {
    static List<Path> files() throws Exception {
        return RegionVectors.files();
    }

    @Override
    public BackEnd backEnd() {
        return BackEnd.LINEAR;
    }

    @Override
    public Region region(long bytes, HugePages hugePages, long poolBytes, long deferredBytes) {
        return RegionTest.keeping(Region.create(bytes, hugePages));
    }

    @ParameterizedTest
    @MethodSource("files")
    void vectors(Path file) throws Exception {
        RegionVectors.run(file, this);
    }
}
