package upa.core;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The path of a file to be, on tmpfs where there is one; closing deletes the file. */
record SharedFile(Path path) implements AutoCloseable {
    private static final Path TMPFS = Path.of("/dev/shm");

    SharedFile() throws IOException {
        this(directory().resolve("region"));
    }

    private static Path directory() throws IOException {
        return Files.isWritable(TMPFS)
                ? Files.createTempDirectory(TMPFS, "upa-test")
                : Files.createTempDirectory("upa-test");
    }

    @Override
    public void close() throws IOException {
        Files.deleteIfExists(path);
        Files.delete(path.getParent());
    }
}
