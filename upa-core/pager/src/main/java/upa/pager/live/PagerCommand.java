package upa.pager.live;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

/** Asks the pagers of this user. */
public final class PagerCommand {
    private static final int MOST_ANSWER_BYTES = 1 << 16;
    /** A pager that is stopped never answers. */
    private static final int MOST_SECONDS = 5;

    /**
     * A process that is paged.
     *
     * @param pid      its number
     * @param bound    bytes that it may have in memory
     * @param resident bytes of it in memory, as far as its pager has looked
     * @param stored   bytes of it elsewhere
     * @param name     of the program, without line breaks
     */
    public record Program(int pid, long bound, long resident, long stored, String name) {}

    private PagerCommand() {}

    /**
     * What the pagers page.
     *
     * @param pid only this process; 0: all
     * @return a line for each; without those of a pager that is stopped, after some seconds
     */
    public static String status(int pid) {
        return status(pid, socket -> {});
    }

    /**
     * The same, and which pagers are there and do not answer.
     *
     * @param pid    only this process; 0: all
     * @param silent is told the socket of each such pager
     * @return a line for each process
     */
    public static String status(int pid, Consumer<Path> silent) {
        StringBuilder all = new StringBuilder();
        for (Path socket : PagerSocket.list()) {
            String answer = ask(socket, pid == 0 ? "status" : "status " + pid, MOST_SECONDS);
            if (answer == null) {
                silent.accept(socket);
            } else {
                all.append(answer.startsWith("0\n") ? answer.substring(2) : "");
            }
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
        List<Program> all = programs();
        if (all.isEmpty()) {
            throw new PagerException("no process of this user is paged");
        }
        if (all.size() > 1) {
            throw new PagerException("several processes are paged, say which: pids="
                    + String.join(
                            ",", all.stream().map(p -> Integer.toString(p.pid)).toList()));
        }
        return all.getFirst().pid;
    }

    /** {@return all processes of this user that are paged, but those of a pager that does not answer} */
    public static List<Program> programs() {
        List<Program> all = new ArrayList<>();
        for (Path socket : PagerSocket.list()) {
            String answer = ask(socket, "programs", MOST_SECONDS);
            if (answer != null && answer.startsWith("0\n")) {
                answer.substring(2).lines().forEach(line -> {
                    String[] words = line.split(" ", 5);
                    all.add(new Program(
                            Integer.parseInt(words[0]),
                            Long.parseLong(words[1]),
                            Long.parseLong(words[2]),
                            Long.parseLong(words[3]),
                            words[4]));
                });
            }
        }
        return all;
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
        String command = what + " " + pid + (rest.isEmpty() ? "" : " " + rest);
        int bytes = command.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > Pager.MOST_COMMAND_BYTES) {
            throw new PagerException("too long for a pager: command=" + what + " bytes=" + bytes + ", the most is "
                    + Pager.MOST_COMMAND_BYTES);
        }
        Path socket = pagerOf(pid);
        // These two take as long as they need.
        boolean isLong = what.equals("move") || what.equals("record");
        String answer = ask(socket, command, isLong ? Integer.MAX_VALUE : 2 * MOST_SECONDS);
        if (answer != null && answer.startsWith("0\n")) {
            return answer.substring(2);
        }
        throw new PagerException(
                answer == null || answer.isEmpty()
                        ? "the pager of pid=" + pid + " does not answer"
                        : answer.substring(2));
    }

    /**
     * The figures of a process.
     *
     * @param pid its number
     * @return all of them
     * @throws PagerException if nobody pages the process
     */
    public static ProcessFigure.All figures(int pid) throws PagerException {
        return PagerReport.parse(ask(pid, "figures", ""));
    }

    /**
     * Whether a process is paged.
     *
     * @param pid its number
     * @throws PagerException if not
     */
    public static void check(int pid) throws PagerException {
        pagerOf(pid);
    }

    private static Path pagerOf(int pid) throws PagerException {
        List<Path> silent = new ArrayList<>();
        for (Path socket : PagerSocket.list()) {
            String found = ask(socket, "status " + pid, MOST_SECONDS);
            if (found == null) {
                silent.add(socket);
            } else if (found.length() > 2) {
                return socket;
            }
        }
        if (!silent.isEmpty()) {
            throw new PagerException(
                    "nothing is known of pid=" + pid + ": a pager is stopped, socket=" + silent.getFirst());
        }
        throw new PagerException(
                "no pager of this user has pid=" + pid + ": it is gone, or was not started with ./upa run --policy");
    }

    /** The whole answer; empty if nobody is there, as of a pager that was killed; null if it does not answer. */
    private static String ask(Path socket, String command, int seconds) {
        int fd = Linux.connect(socket.toString());
        if (fd < 0) {
            return "";
        }
        try (Arena arena = Arena.ofConfined()) {
            Linux.send(fd, arena.allocateFrom(ValueLayout.JAVA_BYTE, command.getBytes(StandardCharsets.UTF_8)));
            int millis = seconds == Integer.MAX_VALUE ? -1 : seconds * 1000;
            if (Linux.poll(Linux.pollSet(arena, fd), millis) == 0) {
                return null;
            }
            MemorySegment part = arena.allocate(MOST_ANSWER_BYTES, Long.BYTES);
            ByteArrayOutputStream answer = new ByteArrayOutputStream();
            for (long n; (n = Linux.receive(fd, part, new int[0])) > 0; ) {
                answer.writeBytes(part.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE));
            }
            return answer.toString(StandardCharsets.UTF_8);
        } finally {
            Posix.close(fd);
        }
    }
}
