package upa.measure.allocator;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One way to give a program its memory: libraries to preload, and variables that set an allocator up.
 *
 * @param name as on the command line and in the data
 * @param description for the reader of the report
 * @param colour its colour in every chart
 * @param upa whether it runs on UPA
 * @param own libraries of this project, file names in its library folder, preloaded first
 * @param malloc the malloc to preload behind them, libc's too, since some programs are linked with another; empty for
 *         one of {@code own}
 * @param environment variables that set it up
 */
public record Allocator(
        String name,
        String description,
        String colour,
        boolean upa,
        List<String> own,
        Optional<Library> malloc,
        Map<String, String> environment) {

    /**
     * A malloc of the user's own choice.
     *
     * @param name what to call it
     * @param file the shared library
     * @return the allocator
     */
    public static Allocator ofLibrary(String name, Path file) {
        return new Allocator(
                name,
                "malloc of " + file.getFileName(),
                "#8c6d31",
                false,
                List.of(),
                Optional.of(new Library(file.toAbsolutePath().toString(), "")),
                Map.of());
    }

    /**
     * Why it cannot take part.
     *
     * @param libraries folder of this project's libraries
     * @return the reason, and what to do about it; empty if it can
     */
    public Optional<String> missing(Path libraries) {
        for (String file : own) {
            if (!Files.isReadable(libraries.resolve(file))) {
                return Optional.of("library=" + libraries.resolve(file) + " is not there: build it with ./upa build");
            }
        }
        return malloc.filter(library -> library.find().isEmpty())
                .map(library -> "not installed"
                        + (library.debianPackage().isEmpty() ? "" : ": apt-get install " + library.debianPackage()));
    }

    /**
     * What is preloaded.
     *
     * @param libraries folder of this project's libraries
     * @return files in order
     */
    public List<Path> preloaded(Path libraries) {
        List<Path> files = new ArrayList<>();
        own.forEach(file -> files.add(libraries.resolve(file).toAbsolutePath()));
        malloc.flatMap(Library::find).ifPresent(files::add);
        return files;
    }

    /**
     * All variables of a program: its set-up and what is preloaded.
     *
     * @param libraries folder of this project's libraries
     * @return values by name
     */
    public Map<String, String> variables(Path libraries) {
        Map<String, String> variables = new LinkedHashMap<>(environment);
        List<String> files = preloaded(libraries).stream().map(Path::toString).toList();
        if (!files.isEmpty()) {
            variables.put("LD_PRELOAD", String.join(":", files));
        }
        return variables;
    }
}
