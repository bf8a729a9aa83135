package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** What is said to who asks for a back end of the kernel module and cannot have it, on any machine. */
class PteErrorsTest {
    private static final long MIB = 1 << 20;

    private static void refused(int errno, PteOptions options, String... parts) {
        SystemCallException e = assertThrows(SystemCallException.class, () -> Region.create(MIB, options));
        assertEquals(errno, e.errno(), e.getMessage());
        for (String part : parts) {
            assertTrue(e.getMessage().contains(part), () -> "no \"" + part + "\" in: " + e.getMessage());
        }
    }

    @Test
    void noDevice(@TempDir Path directory) {
        Path none = directory.resolve("upa");
        refused(
                2,
                PteOptions.guarded(MIB).withDevice(none),
                "device=" + none,
                "back end=pte",
                "errno=ENOENT (2)",
                "insmod upa.ko",
                "back end linear");
        refused(2, PteOptions.raw(MIB).withDevice(none), "back end=pte-raw");
    }

    @Test
    void anotherDevice(@TempDir Path directory) throws IOException {
        refused(
                25,
                PteOptions.guarded(MIB).withDevice(Path.of("/dev/null")),
                "device=/dev/null",
                "errno=ENOTTY (25)",
                "not the device of upa.ko");
        Path file = Files.createFile(directory.resolve("file"));
        refused(25, PteOptions.raw(MIB).withDevice(file), "device=" + file);
        refused(21, PteOptions.raw(MIB).withDevice(directory), "errno=EISDIR (21)", "is that the device of upa.ko?");
    }

    @Test
    void optionsOutOfRange() {
        PteOptions good = PteOptions.guarded(MIB);
        record Wrong(String what, Executable misuse) {}
        for (Wrong w : List.of(
                new Wrong("poolBytes=-1", () -> PteOptions.guarded(-1)),
                new Wrong("maxPoolBytes=0", () -> PteOptions.raw(0)),
                new Wrong("maxPoolBytes=" + ((1L << 40) + 1), () -> good.withMaxPoolBytes((1L << 40) + 1)),
                new Wrong("poolBytes=2097152", () -> good.withMaxPoolBytes(4096)),
                new Wrong("maxDeferredBytes=-1", () -> good.withMaxDeferredBytes(-1)),
                new Wrong("backEnd=linear", () -> new PteOptions(BackEnd.LINEAR, 1, 1, 1, false, PteOptions.DEVICE)),
                new Wrong("reclaim=true", () -> PteOptions.raw(1).withReclaim(true)),
                new Wrong("bytes=0", () -> Region.create(0, good)),
                new Wrong("bytes=" + ((1L << 40) + 1), () -> Region.create((1L << 40) + 1, good)))) {
            String message =
                    assertThrows(IllegalArgumentException.class, w.misuse).getMessage();
            assertTrue(message.contains(w.what), () -> "no \"" + w.what + "\" in: " + message);
        }
        assertEquals(2 * MIB, good.poolBytes(), "rounded up");
    }
}
