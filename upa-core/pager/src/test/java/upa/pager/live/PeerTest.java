package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

class PeerTest {
    private static final String[] NAMESPACES = {"pid", "mnt", "net", "user", "cgroup"};

    @TempDir
    private Path folder;

    private Path process(String name, String capabilities, String other) throws IOException {
        Path process =
                Files.createDirectories(folder.resolve(name).resolve("ns")).getParent();
        Files.writeString(process.resolve("status"), "Name:\tx\nCapPrm:\tffff\nCapEff:\t" + capabilities + "\n");
        for (String ns : NAMESPACES) {
            Files.createSymbolicLink(
                    process.resolve("ns").resolve(ns), Path.of(ns + (ns.equals(other) ? ":[2]" : ":[1]")));
        }
        Files.createSymbolicLink(process.resolve("root"), other.equals("root") ? folder : Path.of("/"));
        return process;
    }

    @Test
    void whoSeesTheSameMayAsk() throws IOException {
        Path self = process("self", "00000000a80425fb", "");
        assertTrue(Peer.isAlike(process("same", "00000000a80425fb", ""), self));
        assertTrue(Peer.isAlike(process("more", "000001ffffffffff", ""), self));
        assertTrue(Peer.isAlike(self, process("none", "0000000000000000", "")));
    }

    @Test
    void whoSeesAnythingElseMayNot() throws IOException {
        Path self = process("self", "00000000a80425fb", "");
        for (String ns : NAMESPACES) {
            assertFalse(Peer.isAlike(process("other-" + ns, "00000000a80425fb", ns), self), ns);
        }
        assertFalse(Peer.isAlike(process("root", "00000000a80425fb", "root"), self));
    }

    @Test
    void whoHasFewerRightsMayNot() throws IOException {
        Path self = process("self", "00000000a80425fb", "");
        assertFalse(Peer.isAlike(process("one-less", "00000000a80425fa", ""), self));
        assertFalse(Peer.isAlike(process("others", "0000000057fbda04", ""), self));
        assertFalse(Peer.isAlike(process("no-number", "x", ""), self));
    }

    @Test
    void whoIsGoneMayNot() throws IOException {
        Path self = process("self", "0", "");
        assertFalse(Peer.isAlike(folder.resolve("gone"), self));
        Path half = process("half", "0", "");
        Files.delete(half.resolve("ns/net"));
        assertFalse(Peer.isAlike(half, self));
    }

    @Test
    void thisProcessMayAskItself() {
        Path path = folder.resolve("socket");
        int listener = Linux.listen(path.toString());
        int fd = Linux.connect(path.toString());
        int accepted = Linux.accept(listener);
        assertTrue(Peer.mayAsk(accepted));
        assertEquals(ProcessHandle.current().pid(), Linux.peerPid(accepted));
        int pidfd = Linux.peerPidfd(accepted);
        assertTrue(pidfd >= 0 || pidfd == -92, "errno=" + -pidfd);
        Posix.closeAll(fd, accepted, listener, pidfd);
        assertFalse(Peer.mayAsk(-1));
    }
}
