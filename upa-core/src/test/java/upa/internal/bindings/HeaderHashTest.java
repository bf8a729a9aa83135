package upa.internal.bindings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The committed bindings are those of the headers as they are now. */
class HeaderHashTest {
    @Test
    void bindingsMatchTheHeaders() throws IOException {
        String root = System.getProperty("upa.root");
        assertNotNull(root, "system property upa.root (the project's root directory) is not set");
        List<String> recorded = recordedHashes();
        assertFalse(recorded.isEmpty(), "no hash recorded");
        for (String line : recorded) {
            String[] hashAndFile = line.split(" +", 2);
            assertEquals(hashAndFile[0], HeaderHash.of(Path.of(root, hashAndFile[1])),
                    () -> "header=" + hashAndFile[1] + " has changed since its bindings were made:"
                            + " run upa-core/bindings.sh (needs jextract) and commit what it makes");
        }
    }

    @Test
    void hashSeesDeclarationsNotComments(@TempDir Path directory) throws IOException {
        Path header = directory.resolve("a.h");
        Files.writeString(header, "/* one */\nint f(void); // two\n");
        String before = HeaderHash.of(header);
        Files.writeString(header, "/* another */\n\nint  f(void);\n");
        assertEquals(before, HeaderHash.of(header));
        Files.writeString(header, "int f(long);\n");
        assertNotEquals(before, HeaderHash.of(header));
    }

    private static List<String> recordedHashes() throws IOException {
        try (var reader = new BufferedReader(new InputStreamReader(
                HeaderHashTest.class.getResourceAsStream("headers.sha256"), StandardCharsets.UTF_8))) {
            return reader.lines().toList();
        }
    }
}
