package upa.measure.allocator;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A malloc library.
 *
 * @param file its file name, searched in the usual folders, or its path
 * @param debianPackage where to get it from; empty if unknown
 */
public record Library(String file, String debianPackage) {

    private static final List<Path> FOLDERS = List.of(
            Path.of("/usr/lib/x86_64-linux-gnu"),
            Path.of("/usr/lib/aarch64-linux-gnu"),
            Path.of("/usr/lib64"),
            Path.of("/usr/lib"),
            Path.of("/usr/local/lib"));

    /**
     * Where it is.
     *
     * @return its path; empty if it is not installed
     */
    public Optional<Path> find() {
        return FOLDERS.stream()
                .map(folder -> folder.resolve(file))
                .filter(Files::isReadable)
                .findFirst();
    }
}
