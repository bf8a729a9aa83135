package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** One version number: Maven's, CMake's, and what the library says. */
class VersionTest {
    @Test
    void mavenAndCMakeAgree() throws IOException {
        assertEquals(System.getProperty("upa.version"), Upa.VERSION);
        String build = Files.readString(Path.of(System.getProperty("upa.root"), "CMakeLists.txt"));
        Matcher project = Pattern.compile("project\\(upa VERSION ([0-9.]+)").matcher(build);
        assertTrue(project.find(), "no version in CMakeLists.txt");
        assertEquals(project.group(1), Upa.VERSION.replace("-SNAPSHOT", ""));
    }
}
