package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class CoreWatchTest {
    @Test
    void aStatusSaysWhetherACoreFileIsBeingWritten() throws IOException {
        String status = Files.readString(Path.of("/proc/self/status"));
        assertTrue(status.contains("\nCoreDumping:\t0\n"), status);
        assertFalse(CoreWatch.says(status));
        assertTrue(CoreWatch.says(status.replace("\nCoreDumping:\t0\n", "\nCoreDumping:\t1\n")));
    }

    @Test
    void neitherThisProcessNorOneThatIsGoneWritesOne() {
        try (Arena arena = Arena.ofConfined();
                CoreWatch here =
                        new CoreWatch(arena, (int) ProcessHandle.current().pid());
                CoreWatch gone = new CoreWatch(arena, Integer.MAX_VALUE)) {
            assertFalse(here.isDumping());
            assertFalse(gone.isDumping());
        }
    }
}
