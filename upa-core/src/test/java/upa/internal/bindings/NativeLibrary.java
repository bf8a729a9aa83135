package upa.internal.bindings;

import java.nio.file.Files;
import java.nio.file.Path;

/** Libraries that CMake has built, for tests that compare them with Java. */
public final class NativeLibrary {
    private static final Path UPA = path("libupa.so");

    private NativeLibrary() {
    }

    /** {@return where CMake has put a library} */
    public static Path path(String name) {
        return Path.of(System.getProperty("upa.library.path", "."), name).toAbsolutePath();
    }

    /** {@return whether libupa.so is there; it is then loaded, for {@link Upa}} */
    public static boolean isAvailable() {
        if (!Files.exists(UPA)) {
            return false;
        }
        System.load(UPA.toString());
        return true;
    }

    /** {@return what to do if it is not there} */
    public static String whyNot() {
        return whyNot(UPA);
    }

    /** {@return what to do if a library is not there} */
    public static String whyNot(Path library) {
        return "no " + library + ": build it with ./upa build";
    }
}
