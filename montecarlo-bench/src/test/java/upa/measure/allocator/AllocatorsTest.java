package upa.measure.allocator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class AllocatorsTest {

    private static final List<Allocator> ALL = Allocators.all();

    @Test
    void namesAndColoursTellThemApart() {
        assertEquals(ALL.size(), ALL.stream().map(Allocator::name).distinct().count());
        assertEquals(ALL.size(), ALL.stream().map(Allocator::colour).distinct().count());
        assertTrue(ALL.stream().allMatch(a -> a.colour().matches("#[0-9a-f]{6}")));
    }

    @Test
    void whatIsNamedExists() {
        Set<String> names = ALL.stream().map(Allocator::name).collect(Collectors.toSet());
        Set<String> used = new HashSet<>(Allocators.TUNED);
        used.addAll(Allocators.MAIN);
        used.addAll(Allocators.PAIRS.keySet());
        used.addAll(Allocators.PAIRS.values());
        assertTrue(names.containsAll(used), names + " " + used);
    }

    @Test
    void onUpaAnAllocatorIsAsItIsWithout() {
        Allocators.PAIRS.forEach((without, with) -> {
            assertEquals(
                    Allocators.named(without).environment(),
                    Allocators.named(with).environment(),
                    with);
            assertEquals(
                    Allocators.named(without).malloc(), Allocators.named(with).malloc(), with);
            assertTrue(
                    Allocators.named(with).upa() && !Allocators.named(without).upa(), with);
            assertEquals(without, Allocators.withoutUpa(with).orElseThrow());
        });
    }

    @Test
    void tunedMeansThatSomethingIsSet() {
        for (Allocator allocator : ALL) {
            boolean tuned =
                    allocator.name().contains("-tuned") || allocator.name().equals("glibc-hugepages");
            assertEquals(tuned, !allocator.environment().isEmpty(), allocator.name());
        }
    }

    /** A misspelt setting is ignored by an allocator, at best with a warning. */
    @Test
    void settingsAreKnownToTheirAllocator() throws IOException, InterruptedException {
        for (Allocator allocator : ALL) {
            Path none = Path.of("");
            assumeTrue(!allocator.own().isEmpty() || allocator.missing(none).isEmpty(), allocator.name());
            if (allocator.own().isEmpty() && !allocator.environment().isEmpty()) {
                assertEquals("", complaints(allocator.variables(none)), allocator.name());
            }
        }
        Map<String, String> wrong = Map.of(
                "LD_PRELOAD",
                Allocators.named("jemalloc").variables(Path.of("")).get("LD_PRELOAD"),
                "MALLOC_CONF",
                "stale_decay_ms:-1");
        assertFalse(complaints(wrong).isEmpty(), "jemalloc says nothing of a misspelt name");
    }

    private static String complaints(Map<String, String> variables) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder("/bin/true");
        builder.environment().putAll(variables);
        Process process = builder.start();
        String said = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor());
        return said.strip();
    }
}
