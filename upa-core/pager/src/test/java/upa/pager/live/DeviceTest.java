package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** An owner of a region of the device, and where a pager of regions listens. No pager may fail. */
abstract class DeviceTest {
    static final int PAGES = 2048;
    static final int FRAMES = 1024;
    static final long MIB = 1 << 20;

    final List<String> said = new CopyOnWriteArrayList<>();
    DeviceOwner owner;
    RegionListener listener;

    @TempDir
    Path folder;

    abstract DeviceOwner start(int pages, int frames) throws IOException;

    @BeforeEach
    void startOwner() throws IOException {
        owner = start(PAGES, FRAMES);
        listener = new RegionListener(folder.resolve("pager"), said::add);
    }

    @AfterEach
    void endOwner() {
        listener.close();
        owner.close();
        assertFalse(said.stream().anyMatch(line -> line.contains("failed")), said::toString);
    }
}
