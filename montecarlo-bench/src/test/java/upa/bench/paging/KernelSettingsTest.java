package upa.bench.paging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a folder that looks like the files of the kernel. */
class KernelSettingsTest {
    @TempDir
    Path root;

    private final long pid = ProcessHandle.current().pid();

    private Path file(String name, String text) throws IOException {
        Path file = root.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, text);
    }

    @Test
    void aLimitIsThatOfAGroupOfItsOwn() throws Exception {
        file("sys/fs/cgroup/memory/cgroup.procs", "");
        Path group = root.resolve("sys/fs/cgroup/memory/upa-bench-" + pid);
        KernelSettings settings = new KernelSettings(root);
        settings.limit(1 << 20);
        assertEquals("1048576", Files.readString(group.resolve("memory.limit_in_bytes")));
        assertEquals(
                List.of("sh", "-c", "echo $$ >\"$0\" && exec \"$@\"", group + "/cgroup.procs", "x", "y"),
                settings.inGroup(List.of("x", "y")));
        // The kernel's files go with their folder, these do not.
        Files.delete(group.resolve("memory.limit_in_bytes"));
        settings.close();
        assertFalse(Files.exists(group));
    }

    @Test
    void theNewerHierarchyCallsItOtherwise() throws Exception {
        file("sys/fs/cgroup/cgroup.controllers", "memory");
        KernelSettings settings = new KernelSettings(root);
        settings.limit(4096);
        assertEquals("4096", Files.readString(root.resolve("sys/fs/cgroup/upa-bench-" + pid + "/memory.max")));
    }

    @Test
    void zswapIsAsItWasBefore() throws Exception {
        Path enabled = file("sys/module/zswap/parameters/enabled", "N\n");
        Path compressor = file("sys/module/zswap/parameters/compressor", "lzo\n");
        try (KernelSettings settings = new KernelSettings(root)) {
            settings.zswap();
            assertEquals("Y", Files.readString(enabled));
            assertEquals("lz4", Files.readString(compressor));
        }
        assertEquals("N", Files.readString(enabled));
        assertEquals("lzo", Files.readString(compressor));
    }

    @Test
    void whatIsImpossibleIsSaid() throws Exception {
        try (KernelSettings settings = new KernelSettings(root)) {
            assertEquals("there is no memory cgroup", why(() -> settings.limit(4096)));
            assertEquals("the kernel has no zswap, or only root may turn it on", why(settings::zswap));
            assertTrue(why(settings::needZram).startsWith("what swap there is cannot be read"));
            file("proc/swaps", "Filename Type\n");
            assertEquals("there is no swap on zram alone: zramctl and swapon set it up", why(settings::needZram));
            file("proc/swaps", "Filename Type\n/dev/zram0 partition\n/swap file\n");
            assertEquals("there is no swap on zram alone: zramctl and swapon set it up", why(settings::needZram));
            file("proc/swaps", "Filename Type\n/dev/zram0 partition\n");
            settings.needZram();
            assertTrue(why(() -> settings.swapTo(root.resolve("none"), 4096)).startsWith("no swap file: failed"));
        }
    }

    private interface Setting {
        void set() throws KernelSettings.ImpossibleException;
    }

    private static String why(Setting setting) {
        return assertThrows(KernelSettings.ImpossibleException.class, setting::set)
                .getMessage();
    }
}
