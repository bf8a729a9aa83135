package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** In a process of its own, whose folder of temporary files is known and may be of no use. */
class NativeLibrariesTest {
    @TempDir
    private Path folder;

    /** Loads all there are, says what that gave, and ends as one that is killed. */
    static final class Loader {
        private Loader() {}

        /**
         * Runs it.
         *
         * @param arguments none
         */
        public static void main(String[] arguments) {
            new Codec.Lz4();
            System.out.println("lz4 native: " + io.airlift.compress.v3.lz4.Lz4NativeCompressor.isEnabled());
            System.out.println("zstd: " + CompressedStore.Method.ZSTD.missing());
            System.out.flush();
            Runtime.getRuntime().halt(0);
        }
    }

    private List<String> load(Path temporary) throws Exception {
        Process loader = new ProcessBuilder(
                        ProcessHandle.current().info().command().orElseThrow(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-XX:-UsePerfData",
                        "-Djava.io.tmpdir=" + temporary,
                        "-cp",
                        System.getProperty("java.class.path"),
                        Loader.class.getName())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        List<String> said = loader.inputReader().lines().toList();
        assertEquals(0, loader.waitFor(), said::toString);
        return said;
    }

    private long files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.count();
        }
    }

    /** A process that is killed runs no hook, and neither does this one. */
    @Test
    void noFileOutlivesThem() throws Exception {
        assertEquals(List.of("lz4 native: true", "zstd: "), load(folder));
        assertEquals(0, files());
    }

    @Test
    void withoutAFolderForThemThereIsJavaOrALine() throws Exception {
        List<String> said = load(folder.resolve("none"));
        assertEquals("lz4 native: false", said.getFirst());
        assertTrue(said.getLast().startsWith("zstd: "), said::toString);
        assertFalse(said.getLast().equals("zstd: "), said::toString);
        assertEquals(2, said.size(), said::toString);
    }
}
