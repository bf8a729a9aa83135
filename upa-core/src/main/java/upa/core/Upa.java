package upa.core;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** The library itself. */
public final class Upa {
    /** The version of the project, which the C library, the kernel module and the launcher share. */
    public static final String VERSION = read();

    private Upa() {}

    private static String read() {
        Properties properties = new Properties();
        try (InputStream in = Upa.class.getResourceAsStream("version.properties")) {
            properties.load(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return properties.getProperty("version");
    }
}
