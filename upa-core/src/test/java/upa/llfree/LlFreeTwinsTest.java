package upa.llfree;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import upa.internal.bindings.NativeLibrary;

/** The twins in C and Java do the same to the byte, and go on with each other's states. */
class LlFreeTwinsTest {
    @BeforeAll
    static void load() {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary::whyNot);
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "700, 2", "8193, 4", "20000, 3", "40960, 8"})
    void leaveTheSameBytes(int pages, int slots) {
        for (long seed = 1; seed <= 6L * LlFreeContract.EFFORT; seed++) {
            BitSetModel.run(new BothTwins(), pages, slots, 2500, seed);
        }
    }
}
