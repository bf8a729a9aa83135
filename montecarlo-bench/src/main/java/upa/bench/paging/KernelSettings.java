package upa.bench.paging;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Settings of the machine that the kernel's ways need: a group of processes with a limit of memory, a swap file, zswap.
 * Each is undone by {@link #close}, the last first, whatever happens between; Ctrl-C comes to that too. Not for use by
 * several threads, but for {@code close}.
 */
final class KernelSettings implements AutoCloseable {
    private static final int PATIENCE_SECONDS = 120;

    /** What cannot be set up here: the message says why, in a few words. */
    static final class ImpossibleException extends Exception {
        private static final long serialVersionUID = 1;

        ImpossibleException(String message) {
            super(message);
        }
    }

    private interface Undo {
        void run() throws IOException;
    }

    private final Path root;
    private final Deque<Undo> undos = new ArrayDeque<>();
    private Path group;

    /**
     * Nothing is set yet.
     *
     * @param root of the file system: another one in tests
     */
    KernelSettings(Path root) {
        this.root = root;
    }

    private synchronized void later(Undo undo) {
        undos.push(undo);
    }

    /** Makes a group of processes that may have so much memory; swap is not limited. */
    void limit(long bytes) throws ImpossibleException {
        if (group != null) {
            return;
        }
        Path v1 = root.resolve("sys/fs/cgroup/memory");
        boolean old = Files.exists(v1.resolve("cgroup.procs"));
        Path parent = old ? v1 : root.resolve("sys/fs/cgroup");
        Path made = parent.resolve("upa-bench-" + ProcessHandle.current().pid());
        if (!old && !Files.exists(parent.resolve("cgroup.controllers"))) {
            throw new ImpossibleException("there is no memory cgroup");
        }
        try {
            Files.createDirectory(made);
            later(() -> Files.deleteIfExists(made));
            Files.writeString(made.resolve(old ? "memory.limit_in_bytes" : "memory.max"), Long.toString(bytes));
        } catch (IOException e) {
            throw new ImpossibleException("a memory cgroup needs root, and the controller: " + e.getMessage());
        }
        group = made;
    }

    /** The command that runs another in the group. */
    List<String> inGroup(List<String> command) {
        List<String> all = new ArrayList<>(List.of(
                "sh",
                "-c",
                "echo $$ >\"$0\" && exec \"$@\"",
                group.resolve("cgroup.procs").toString()));
        all.addAll(command);
        return all;
    }

    /** Swap to a file of its own, preferred to all that there is. */
    void swapTo(Path folder, long bytes) throws ImpossibleException {
        Path file = folder.resolve("upa-bench-" + ProcessHandle.current().pid() + ".swap");
        later(() -> Files.deleteIfExists(file));
        run("no swap file", "fallocate", "-l", Long.toString(bytes), file.toString());
        run("no swap file", "chmod", "600", file.toString());
        run("no swap file", "mkswap", file.toString());
        run("no swap, which needs root", "swapon", "-p", "32767", file.toString());
        later(() -> {
            try {
                run("swap stays on", "swapoff", file.toString());
            } catch (ImpossibleException e) {
                throw new IOException(e.getMessage() + ": end it with swapoff " + file, e);
            }
        });
    }

    /** Turns zswap on, with lz4 if there is; the swap file comes behind it. */
    void zswap() throws ImpossibleException {
        Path parameters = root.resolve("sys/module/zswap/parameters");
        if (!Files.isWritable(parameters.resolve("enabled"))) {
            throw new ImpossibleException("the kernel has no zswap, or only root may turn it on");
        }
        set(parameters.resolve("compressor"), "lz4");
        if (!set(parameters.resolve("enabled"), "Y")) {
            throw new ImpossibleException("zswap cannot be turned on");
        }
    }

    /** Returns whether the kernel takes the value: it may lack a compressor. */
    private boolean set(Path setting, String value) {
        try {
            String before = Files.readString(setting).strip();
            Files.writeString(setting, value);
            later(() -> Files.writeString(setting, before));
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** Whether there is swap on zram, and nothing else. */
    void needZram() throws ImpossibleException {
        try {
            List<String> swaps = Files.readAllLines(root.resolve("proc/swaps"));
            if (swaps.size() < 2 || !swaps.stream().skip(1).allMatch(s -> s.startsWith("/dev/zram"))) {
                throw new ImpossibleException("there is no swap on zram alone: zramctl and swapon set it up");
            }
        } catch (IOException e) {
            throw new ImpossibleException("what swap there is cannot be read: " + e.getMessage());
        }
    }

    private static void run(String otherwise, String... command) throws ImpossibleException {
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
                process.destroy();
                throw new ImpossibleException(otherwise + ": failed: " + String.join(" ", command));
            }
        } catch (IOException e) {
            throw new ImpossibleException(otherwise + ": " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ImpossibleException(otherwise + ": interrupted");
        }
    }

    /**
     * Undoes all.
     *
     * @throws IOException if something could not be undone: it says what; the rest has been
     */
    @Override
    public synchronized void close() throws IOException {
        IOException first = null;
        while (!undos.isEmpty()) {
            try {
                undos.pop().run();
            } catch (IOException e) {
                first = first == null ? e : first;
            }
        }
        group = null;
        if (first != null) {
            throw first;
        }
    }
}
