package upa.pager.live;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import upa.pager.posix.FileFailure;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

/**
 * Where the sockets of a user's pagers are: files {@code NAME.control} in a folder that only the user may enter, which
 * {@code upa run} makes. There is one pager for all runs of the same build that see the same processes, files and
 * network and have the same limits: the name is made of these.
 */
final class PagerSocket {
    private static final String SUFFIX = ".control";

    private PagerSocket() {}

    private static Path folder() {
        String runtime = System.getenv("XDG_RUNTIME_DIR");
        return runtime != null && runtime.startsWith("/") && isOurs(runtime)
                ? Path.of(runtime, "upa")
                : Path.of("/tmp", "upa-" + Linux.uid());
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

    /** {@return where owners of regions of the device look for a pager: admit.c has the same} */
    static Path ofRegions() {
        return folder().resolve("regions" + SUFFIX);
    }

    /** Listens where nobody does. */
    static int listen(Path socket) throws PagerException {
        int other = Linux.connect(socket.toString());
        if (other >= 0) {
            Posix.close(other);
            throw new PagerException("there is a pager already: socket=" + socket);
        }
        try {
            makeFolder(socket.getParent());
            Files.deleteIfExists(socket);
        } catch (IOException e) {
            throw new PagerException("cannot make socket=" + socket + ": " + FileFailure.reason(e));
        }
        int fd = Linux.listen(socket.toString());
        if (fd < 0) {
            throw new PagerException("cannot listen at socket=" + socket + ": errno=" + -fd);
        }
        return fd;
    }

    /** As {@code upa run} makes it, and asks of one that is there. */
    private static void makeFolder(Path folder) throws IOException, PagerException {
        Set<PosixFilePermission> own = PosixFilePermissions.fromString("rwx------");
        if (Files.notExists(folder, LinkOption.NOFOLLOW_LINKS)) {
            Files.createDirectory(folder, PosixFilePermissions.asFileAttribute(own));
        }
        String none = "no place for the pager's socket: folder=" + folder;
        if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
            throw new PagerException(none + " is no folder: remove it");
        }
        if (!isOurs(folder.toString()) || !Files.getPosixFilePermissions(folder).equals(own)) {
            throw new PagerException(none + " is not this user's alone: remove it");
        }
    }

    /** {@return the sockets there are} */
    static List<Path> list() {
        List<Path> sockets = new ArrayList<>();
        if (!Files.isDirectory(folder())) {
            return sockets;
        }
        try (Stream<Path> files = Files.list(folder())) {
            files.filter(f -> f.getFileName().toString().endsWith(SUFFIX))
                    .sorted()
                    .forEach(sockets::add);
        } catch (IOException e) {
            // A folder that nobody may look into holds no socket for us.
            return sockets;
        }
        return sockets;
    }
}
