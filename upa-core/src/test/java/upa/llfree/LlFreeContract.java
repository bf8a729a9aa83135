package upa.llfree;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What every implementation of the allocator must do; one subclass for each. */
abstract class LlFreeContract {
    /** How much longer tests take when asked to be thorough. */
    static final int EFFORT = System.getenv().getOrDefault("UPA_FULL", "").isEmpty() ? 1 : 10;

    abstract Twin newTwin();

    @TestFactory
    Stream<DynamicTest> vectors() throws IOException {
        return Vectors.files().stream()
                .map(file -> DynamicTest.dynamicTest(
                        file.getFileName().toString(), () -> assertEquals(List.of(), Vectors.run(file, newTwin()))));
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "63, 2", "511, 1", "512, 1", "513, 3", "8191, 2", "8192, 4", "8193, 4", "20000, 3", "65536, 8"})
    void agreesWithABitmap(int pages, int slots) {
        for (long seed = 1; seed <= 4L * EFFORT; seed++) {
            BitSetModel.run(newTwin(), pages, slots, 2500, seed);
        }
    }
}
