package upa.internal.bindings;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** The SHA-256 of what a C header declares: comments and white space do not count. */
final class HeaderHash {
    private HeaderHash() {
    }

    /** Prints a line {@code <hash>  <file>} for each file named; {@code bindings.sh} records them. */
    public static void main(String[] files) throws IOException {
        for (String file : files) {
            System.out.println(of(Path.of(file)) + "  " + file);
        }
    }

    static String of(Path header) throws IOException {
        String declarations = Files.readString(header)
                .replaceAll("(?s)/\\*.*?\\*/", " ")
                .replaceAll("//.*", " ")
                .replaceAll("\\s+", " ");
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(declarations.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash);
        } catch (NoSuchAlgorithmException impossible) {
            throw new AssertionError(impossible);
        }
    }
}
