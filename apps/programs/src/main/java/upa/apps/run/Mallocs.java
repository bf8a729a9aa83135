package upa.apps.run;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import upa.measure.allocator.Allocator;

/**
 * Whose malloc a program calls. The dynamic linker takes the first that exports it of the program, what is preloaded,
 * and the libraries that the program is linked with, in the order of {@code ldd}. Looked for is free(): UPA's library
 * has a malloc() that passes requests on.
 */
public final class Mallocs {

    private static final int SECONDS = 30;
    private static final String LIBC = "libc.so.6";
    /** "libm.so.6 => /lib/libm.so.6 (0x7f...)", or without the first two words. */
    private static final Pattern LINKED = Pattern.compile("(?m)^\\s(?:\\S+ => )?(/.*) \\(0x[0-9a-f]+\\)$");

    private static final Pattern EXPORTED = Pattern.compile("(?m) [TW] free(@.*)?$");

    private final Commands commands;
    private final Path libraries;
    private final Map<Path, Boolean> exporting = new HashMap<>();

    /**
     * Looks at libraries.
     *
     * @param commands runs nm and ldd
     * @param libraries folder of this project's libraries
     */
    public Mallocs(Commands commands, Path libraries) {
        this.commands = commands;
        this.libraries = libraries;
    }

    /**
     * The library whose malloc programs call under a contestant, unless they have their own; empty if it preloads none.
     */
    public Optional<String> of(Allocator contestant) {
        return first(contestant.preloaded(libraries)).map(Mallocs::name);
    }

    /** What is to be said of these programs: those that without us would not call libc's malloc. */
    public Map<String, String> unusual(List<String> programs) {
        Map<String, String> said = new LinkedHashMap<>();
        for (String program : programs) {
            Path path = Path.of(program);
            List<Path> order = new ArrayList<>(List.of(path));
            order.addAll(linked(path));
            first(order).ifPresent(file -> {
                if (file.equals(path)) {
                    said.put(name(path), "has a malloc of its own, which no contestant replaces");
                } else if (!name(file).equals(LIBC)) {
                    said.put(
                            name(path),
                            "is linked with the malloc of " + name(file)
                                    + ", and here calls that of the contestant instead");
                }
            });
        }
        return said;
    }

    private Optional<Path> first(List<Path> files) {
        return files.stream().filter(this::exports).findFirst();
    }

    private boolean exports(Path file) {
        return exporting.computeIfAbsent(
                file,
                f -> EXPORTED.matcher(output("nm", "-D", "--defined-only", f.toString()))
                        .find());
    }

    private List<Path> linked(Path program) {
        List<Path> files = new ArrayList<>();
        Matcher line = LINKED.matcher(output("ldd", program.toString()));
        while (line.find()) {
            files.add(Path.of(line.group(1)));
        }
        return files;
    }

    private String output(String... command) {
        try {
            return commands.run(List.of(command), Path.of("/"), Map.of(), SECONDS)
                    .output();
        } catch (IOException e) {
            return "";
        }
    }

    private static String name(Path file) {
        return file.getFileName().toString();
    }
}
