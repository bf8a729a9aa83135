package upa.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import upa.measure.Machine;

/** A driver made of a shell script, and a machine made of a few files. */
final class FakeDriver {

    /**
     * Answers with two points, warm and cold, of 4 KiB and 1 MiB, and logs its arguments to the file calls beside it.
     */
    static final String SCRIPT = """
        #!/bin/sh
        echo "$@" >>"$(dirname "$0")/calls"
        case "$*" in *"--contestant kernel"*) ns=9000 ;; *) ns=100 ;; esac
        echo 'upa-driver 1'
        echo 'fact peak_rss_bytes 1048576'
        echo 'fact end_rss_bytes 4096'
        for phase in warm cold; do
            for size in 4096 65536 1048576; do
                echo "point $phase $size 1 3 $((ns * 3000)) 6 0 0 3"
                echo "s $((ns * 1000)) $((ns * 900)) $((ns * 1100))"
            done
        done
        echo 'end 6'
        """;

    private FakeDriver() {}

    static Path write(Path folder, String script) throws IOException {
        Path file = folder.resolve("fake-driver");
        Files.writeString(file, script);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
        return file;
    }

    static List<String> calls(Path folder) throws IOException {
        return Files.readAllLines(folder.resolve("calls"));
    }

    static Machine machine(Path root, long availableKib) throws IOException {
        Files.createDirectories(root.resolve("proc"));
        Files.writeString(
                root.resolve("proc/meminfo"),
                "MemTotal:       " + 2 * availableKib + " kB\nMemAvailable:   " + availableKib + " kB\n");
        Files.writeString(root.resolve("proc/cpuinfo"), "model name\t: Imaginary CPU\nflags\t\t: fpu hypervisor\n");
        Files.writeString(root.resolve("proc/loadavg"), "0.10 0.20 0.30 1/100 1234\n");
        return new Machine(root);
    }
}
