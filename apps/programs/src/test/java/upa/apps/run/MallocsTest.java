package upa.apps.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;

class MallocsTest {

    private static final Path LIBRARIES = Path.of(System.getProperty("upa.library.path", "build/release/lib"));

    @TempDir
    Path folder;

    private Mallocs mallocs() {
        return new Mallocs(new Commands(folder), LIBRARIES);
    }

    @Test
    void everyContestantPreloadsTheMallocItIsNamedAfter() {
        for (Allocator contestant : Allocators.all()) {
            if (contestant.missing(LIBRARIES).isEmpty()) {
                String name = contestant.name().replaceAll("^upa-", "").replaceAll("-.*", "");
                String file = switch (name) {
                    case "glibc", "upa" -> "libc.so.6";
                    case "dlmalloc" -> "libupa_malloc.so";
                    default -> contestant.malloc().orElseThrow().file();
                };
                assertEquals(Optional.of(file), mallocs().of(contestant), contestant.name());
            }
        }
    }

    @Test
    void onlyProgramsWithAnotherMallocThanLibcsAreUnusual() {
        Path own = LIBRARIES.resolve("libupa_malloc.so").toAbsolutePath();
        assumeTrue(Files.exists(own), "not built: file=" + own);
        assertEquals(
                Map.of("libupa_malloc.so", "has a malloc of its own, which no contestant replaces"),
                mallocs().unusual(List.of("/bin/sh", own.toString(), "/no/such/program", "/etc/passwd")));
    }

    @Test
    void whatAProgramIsLinkedWithIsFound() {
        Path redis = Path.of("/usr/bin/redis-server");
        assumeTrue(Files.exists(redis), "no redis-server");
        assertEquals(
                Map.of(
                        redis.getFileName().toString(),
                        "is linked with the malloc of libjemalloc.so.2, and here calls that of the contestant instead"),
                mallocs().unusual(List.of(redis.toString())));
    }
}
