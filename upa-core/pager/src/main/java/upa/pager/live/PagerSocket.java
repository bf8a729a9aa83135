package upa.pager.live;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

/** Where the sockets of a user's pagers are: files {@code pager-PID} in a folder that only the user may enter. */
final class PagerSocket {
    private static final String PREFIX = "pager-";

    private PagerSocket() {}

    private static Path folder() {
        String runtime = System.getenv("XDG_RUNTIME_DIR");
        return runtime != null && isOurs(runtime) ? Path.of(runtime, "upa") : Path.of("/tmp", "upa-" + Linux.uid());
    }

    /** Root, as whom somebody else's environment came along, leaves nothing in that user's folder. */
    private static boolean isOurs(String folder) {
        try {
            return Files.isWritable(Path.of(folder))
                    && Files.getAttribute(Path.of(folder), "unix:uid").equals(Linux.uid());
        } catch (IOException | InvalidPathException e) {
            return false;
        }
    }

    /**
     * Makes the folder if there is none.
     *
     * @return where the socket of a process is
     * @throws IOException if the folder is not the user's alone
     */
    static Path make(long pid) throws IOException {
        Path folder = folder();
        if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
            try {
                Files.createDirectory(
                        folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            } catch (FileAlreadyExistsException e) {
                // Another pager's, just now; or what must go before there can be one.
                if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
                    throw new IOException("folder=" + folder + " is no folder: remove it", e);
                }
            }
        }
        Object owner = Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS);
        if (!owner.equals(Linux.uid())
                || !Files.getPosixFilePermissions(folder).equals(PosixFilePermissions.fromString("rwx------"))) {
            throw new IOException("folder=" + folder + " is not this user's alone: remove it");
        }
        for (Path socket : list()) {
            int fd = Linux.connect(socket.toString());
            if (fd >= 0) {
                Posix.close(fd);
                if (folder.resolve(PREFIX + pid).equals(socket)) {
                    throw new IOException("there is a pager for pid=" + pid + " already");
                }
            } else if (!folder.resolve(PREFIX + pid).equals(socket)) {
                // Of a pager that was killed.
                Files.deleteIfExists(socket);
            }
        }
        return folder.resolve(PREFIX + pid);
    }

    /** {@return the sockets there are} */
    static List<Path> list() {
        List<Path> sockets = new ArrayList<>();
        if (!Files.isDirectory(folder())) {
            return sockets;
        }
        try (Stream<Path> files = Files.list(folder())) {
            files.filter(f -> f.getFileName().toString().startsWith(PREFIX))
                    .sorted()
                    .forEach(sockets::add);
        } catch (IOException e) {
            // A folder that nobody may look into holds no socket for us.
            return sockets;
        }
        return sockets;
    }
}
