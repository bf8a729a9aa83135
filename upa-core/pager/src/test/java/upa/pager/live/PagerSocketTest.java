package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

/** Where a pager of regions listens. */
class PagerSocketTest {
    private static final String NONE = "no place for the pager's socket: folder=";

    @TempDir
    private Path folder;

    private String refused(Path socket) {
        return assertThrows(PagerException.class, () -> PagerSocket.listen(socket))
                .getMessage();
    }

    private static void mode(Path folder, String mode) throws Exception {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString(mode));
    }

    @Test
    void itsFolderIsTheUsersAlone() throws Exception {
        Path in = folder.resolve("upa");
        Path socket = in.resolve("regions.control");
        Files.createFile(in);
        assertEquals(NONE + in + " is no folder: remove it", refused(socket));
        Files.delete(in);
        Path other = Files.createDirectory(folder.resolve("other"));
        mode(other, "rwx------");
        Files.createSymbolicLink(in, other);
        assertEquals(NONE + in + " is no folder: remove it", refused(socket));
        Files.delete(in);
        Files.createDirectory(in);
        mode(in, "rwxr-xr-x");
        assertEquals(NONE + in + " is not this user's alone: remove it", refused(socket));
        mode(in, "rwx------");
        Posix.close(PagerSocket.listen(socket));
    }

    @Test
    void thereIsOneAndThenTheNext() throws Exception {
        Path socket = folder.resolve("upa").resolve("regions.control");
        int fd = PagerSocket.listen(socket);
        assertEquals(PosixFilePermissions.fromString("rwx------"), Files.getPosixFilePermissions(socket.getParent()));
        assertEquals("there is a pager already: socket=" + socket, refused(socket));
        Posix.close(fd);
        int next = PagerSocket.listen(socket);
        int connected = Linux.connect(socket.toString());
        assertTrue(connected >= 0, "errno=" + -connected);
        Posix.close(connected);
        Posix.close(next);
    }
}
