package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

/** Asks the pagers of this user. */
public final class PagerCommand {
    private static final int MOST_ANSWER_BYTES = 1 << 16;

    private PagerCommand() {}

    /**
     * What the pagers page.
     *
     * @param pid only this process; 0: all
     * @return a line for each
     */
    public static String status(int pid) {
        StringBuilder all = new StringBuilder();
        for (Path socket : PagerSocket.list()) {
            String answer = ask(socket, pid == 0 ? "status" : "status " + pid);
            all.append(answer.startsWith("0\n") ? answer.substring(2) : "");
        }
        return all.toString();
    }

    /**
     * The process that is paged.
     *
     * @return its number
     * @throws PagerException if there is none, or more than one
     */
    public static int only() throws PagerException {
        List<String> all =
                status(0).lines().map(line -> line.strip().split(" ", 2)[0]).toList();
        if (all.isEmpty()) {
            throw new PagerException("no process of this user is paged");
        }
        if (all.size() > 1) {
            throw new PagerException("several processes are paged, say which: pids=" + String.join(",", all));
        }
        return Integer.parseInt(all.getFirst());
    }

    /**
     * Asks the pager of one process.
     *
     * @param pid  the process
     * @param what {@code stats}, or {@code set}
     * @param rest what follows the number of the process, or empty
     * @return its answer
     * @throws PagerException if nobody pages the process, or its pager refuses
     */
    public static String ask(int pid, String what, String rest) throws PagerException {
        for (Path socket : PagerSocket.list()) {
            if (ask(socket, "status " + pid).length() <= 2) {
                continue;
            }
            String answer = ask(socket, what + " " + pid + (rest.isEmpty() ? "" : " " + rest));
            if (answer.startsWith("0\n")) {
                return answer.substring(2);
            }
            throw new PagerException(
                    answer.isEmpty() ? "the pager of pid=" + pid + " does not answer" : answer.substring(2));
        }
        throw new PagerException(
                "no pager of this user has pid=" + pid + ": it is gone, or was not started with ./upa run --policy");
    }

    /** The whole answer; empty if nobody answers, as of a pager that was killed. */
    private static String ask(Path socket, String command) {
        int fd = Linux.connect(socket.toString());
        if (fd < 0) {
            return "";
        }
        try (Arena arena = Arena.ofConfined()) {
            Linux.send(fd, arena.allocateFrom(ValueLayout.JAVA_BYTE, command.getBytes(StandardCharsets.UTF_8)));
            MemorySegment answer = arena.allocate(MOST_ANSWER_BYTES, Long.BYTES);
            long n = Linux.receive(fd, answer, new int[0]);
            return n <= 0
                    ? ""
                    : new String(answer.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
        } finally {
            Posix.close(fd);
        }
    }
}
