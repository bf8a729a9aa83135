package upa.pager.live;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

/**
 * Who is at the other end of a socket. A pager answers nobody but processes of its own user that see the same
 * processes, files and network, and have all its capabilities: to others a number of a process or a name of a file is
 * another, and a policy from a jar would have rights that they have not.
 */
final class Peer {
    /** As in {@code apps/launcher/run/pager_place.c}, which gives each of these a pager of its own. */
    private static final List<String> NAMESPACES = List.of("pid", "mnt", "net", "user", "cgroup");

    private static final String CAPABILITIES = "CapEff:";
    private static final String NUMBER = "Pid:";
    private static final int RADIX = 16;

    private Peer() {}

    /** Whether it may ask for anything. */
    static boolean mayAsk(int fd) {
        if (Linux.peerUid(fd) != Linux.uid()) {
            return false;
        }
        int pidfd = Linux.peerPidfd(fd);
        try {
            // That in /proc, which may count otherwise than we do.
            long pid = pidfd < 0 ? Linux.peerPid(fd) : number(pidfd);
            boolean alike = pid > 0 && isAlike(Path.of("/proc", Long.toString(pid)), Path.of("/proc/self"));
            // Its number may be another process's by now.
            return alike && (pidfd < 0 || number(pidfd) == pid);
        } finally {
            Posix.close(pidfd);
        }
    }

    /** -1: it has ended. */
    private static long number(int pidfd) {
        return field(Path.of("/proc/self/fdinfo", Integer.toString(pidfd)), NUMBER, 10)
                .orElse(-1);
    }

    /**
     * Whether one process may ask another.
     *
     * @param of   its folder in /proc
     * @param self that of the other
     */
    static boolean isAlike(Path of, Path self) {
        OptionalLong has = field(of.resolve("status"), CAPABILITIES, RADIX);
        OptionalLong needs = field(self.resolve("status"), CAPABILITIES, RADIX);
        if (has.isEmpty() || needs.isEmpty() || (needs.getAsLong() & ~has.getAsLong()) != 0) {
            return false;
        }
        try {
            for (String name : NAMESPACES) {
                Path link = Path.of("ns", name);
                if (!Files.readSymbolicLink(of.resolve(link)).equals(Files.readSymbolicLink(self.resolve(link)))) {
                    return false;
                }
            }
            return Files.isSameFile(of.resolve("root"), self.resolve("root"));
        } catch (IOException e) {
            return false;
        }
    }

    private static OptionalLong field(Path file, String name, int radix) {
        try {
            return Files.readAllLines(file).stream()
                    .filter(line -> line.startsWith(name))
                    .mapToLong(line ->
                            Long.parseUnsignedLong(line.substring(name.length()).strip(), radix))
                    .findFirst();
        } catch (IOException | NumberFormatException e) {
            return OptionalLong.empty();
        }
    }
}
