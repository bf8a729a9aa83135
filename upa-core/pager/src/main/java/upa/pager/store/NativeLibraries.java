package upa.pager.store;

import com.github.luben.zstd.util.Native;
import io.airlift.compress.v3.lz4.Lz4NativeCompressor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Libraries that come in jars are written to files in order to be loaded. These are removed at once: a process that is
 * killed removes nothing at its end.
 */
final class NativeLibraries {
    private static final String LZ4_FOLDER = "aircompressor.tmpdir";

    private static boolean hasTriedLz4;

    private NativeLibraries() {}

    /** Loads that of lz4. Where that cannot be, as where no file may be executed, there is Java in its place. */
    static synchronized void lz4() {
        if (!hasTriedLz4) {
            hasTriedLz4 = true;
            inFolderThatGoes(folder -> {
                String before = System.getProperty(LZ4_FOLDER, System.getProperty("java.io.tmpdir"));
                System.setProperty(LZ4_FOLDER, folder.toString());
                // It looks for its library once, here.
                Lz4NativeCompressor.isEnabled();
                System.setProperty(LZ4_FOLDER, before);
            });
        }
    }

    /**
     * Loads that of zstd.
     *
     * @return why that cannot be, or empty
     */
    static synchronized String zstd() {
        String[] why = {""};
        if (!Native.isLoaded()) {
            inFolderThatGoes(folder -> {
                try {
                    Native.load(folder.toFile());
                } catch (LinkageError e) {
                    why[0] = e.getMessage().lines().findFirst().orElse("it is missing");
                }
            });
        }
        return why[0];
    }

    /** A folder of this user's alone; that of temporary files if there can be none. */
    private static void inFolderThatGoes(Consumer<Path> loads) {
        Path folder;
        try {
            folder = Files.createTempDirectory("upa");
        } catch (IOException e) {
            loads.accept(Path.of(System.getProperty("java.io.tmpdir")));
            return;
        }
        try {
            loads.accept(folder);
        } finally {
            remove(folder);
        }
    }

    private static void remove(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> all = files.toList();
            for (Path file : all) {
                Files.delete(file);
            }
            Files.delete(folder);
        } catch (IOException e) {
            // Somebody else has been there: it is his now.
            return;
        }
    }
}
