package upa.tools.policy;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.measure.OneLine;
import upa.pager.live.Pager;
import upa.pager.live.PagerCommand;
import upa.pager.live.PagerException;

/**
 * {@code upa policy share}: holds all paged programs of a user within one bound. Each second it divides the memory
 * anew, by shares and by what each needs, and sets the bounds of those for whom it matters.
 */
record ShareCommand(long memory, Map<Integer, Integer> shares, boolean once) {
    private static final int MOST_SHARE = 1000;
    private static final long PAUSE_MILLIS = 1000;
    /** A bound that would change by less than this part stays. */
    private static final int STILL = 16;

    private static final int PAGE_SHIFT = 12;
    private static final int MIB_SHIFT = 20;
    private static final Pattern SHARE = Pattern.compile("([1-9][0-9]{0,8})=([1-9][0-9]{0,3})");
    private static final Options OPTIONS = new Options()
            .addOption(Option.builder().longOpt("memory").hasArg().get())
            .addOption(Option.builder().longOpt("once").get());

    /** Who is paged. */
    interface Source {
        /** {@return the processes, of all pagers} */
        List<PagerCommand.Program> programs();

        /** Sets a bound. */
        void limit(int pid, long bytes) throws PagerException;

        /** {@return bytes of a process in memory; 0 if it is gone} */
        long resident(int pid);
    }

    private record Program(int pid, String name, long bound, long need) {}

    static ShareCommand parse(String[] arguments) throws UsageException {
        CommandLine line;
        try {
            line = new DefaultParser(false).parse(OPTIONS, arguments);
        } catch (ParseException e) {
            throw new UsageException("share: " + e.getMessage());
        }
        String text = line.getOptionValue("memory", "");
        long bytes = upa.pager.host.Options.parseBytes(text);
        if (bytes < Pager.LEAST_BOUND || bytes > 1L << 40) {
            throw new UsageException("option --memory needs a size from 4M to 1T as 8G, for all, got value=" + text);
        }
        Map<Integer, Integer> shares = new TreeMap<>();
        for (String share : line.getArgList()) {
            Matcher m = SHARE.matcher(share);
            int parts = m.matches() ? Integer.parseInt(m.group(2)) : 0;
            if (parts < 1 || parts > MOST_SHARE) {
                throw new UsageException("a share is PID=N, with N from 1 to 1000, got share=" + share);
            }
            if (shares.put(Integer.parseInt(m.group(1)), parts) != null) {
                throw new UsageException("given twice: share of pid=" + m.group(1));
            }
        }
        return new ShareCommand(bytes, shares, line.hasOption("once"));
    }

    void run(PrintStream out) throws PagerException {
        Source live = new Source() {
            @Override
            public List<PagerCommand.Program> programs() {
                return PagerCommand.programs();
            }

            @Override
            public void limit(int pid, long bytes) throws PagerException {
                PagerCommand.ask(pid, "limit", "memory=" + bytes);
            }

            @Override
            public long resident(int pid) {
                try {
                    return Long.parseLong(Files.readString(Path.of("/proc/" + pid + "/statm"))
                                    .split(" ")[1])
                            << PAGE_SHIFT;
                } catch (IOException | IndexOutOfBoundsException e) {
                    return 0;
                }
            }
        };
        TreeSet<Integer> missing = new TreeSet<>(shares.keySet());
        programs(live).forEach(p -> missing.remove(p.pid));
        if (!missing.isEmpty()) {
            throw new PagerException("no pager of this user has pid=" + missing.first()
                    + ": it is gone, or was not started with ./upa run --policy");
        }
        try {
            do {
                look(live, out);
                out.flush();
                if (!once) {
                    Thread.sleep(PAUSE_MILLIS);
                }
            } while (!once);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static List<Program> programs(Source source) {
        List<Program> programs = new ArrayList<>();
        for (PagerCommand.Program p : source.programs()) {
            // One that is far below its bound is not looked into yet.
            long used = Math.max(source.resident(p.pid()), p.resident() + p.stored());
            programs.add(new Program(p.pid(), p.name(), p.bound(), used + used / 8 + Pager.LEAST_BOUND));
        }
        return programs;
    }

    /** Divides the memory once. */
    void look(Source source, PrintStream out) throws PagerException {
        List<Program> programs = programs(source);
        if (programs.isEmpty()) {
            if (once) {
                out.println("no process of this user is paged");
            }
            return;
        }
        if (memory < Pager.LEAST_BOUND * programs.size()) {
            throw new PagerException("memory=" + memory + " is too little for processes=" + programs.size()
                    + ": each needs " + (Pager.LEAST_BOUND >> MIB_SHIFT) + "M");
        }
        long[] bytes = Shares.divide(
                memory,
                Pager.LEAST_BOUND,
                programs.stream().mapToLong(Program::need).toArray(),
                programs.stream().mapToInt(p -> shares.getOrDefault(p.pid, 1)).toArray());
        long bounds = programs.stream().mapToLong(Program::bound).sum();
        // First those who give, then those who get: together they never have more.
        for (boolean less : new boolean[] {true, false}) {
            for (int i = 0; i < bytes.length; i++) {
                Program p = programs.get(i);
                long change = bytes[i] - p.bound;
                boolean matters = Math.abs(change) > p.bound / STILL || less && bounds > memory;
                if (change < 0 == less && change != 0 && matters) {
                    set(source, p, bytes[i], out);
                }
            }
        }
    }

    private static void set(Source source, Program p, long bytes, PrintStream out) {
        try {
            source.limit(p.pid, bytes);
            out.println("pid=" + p.pid + " (" + OneLine.of(p.name) + "): bound " + (p.bound >> MIB_SHIFT) + " MiB, now "
                    + (bytes >> MIB_SHIFT) + " MiB");
        } catch (PagerException e) {
            // It has ended since it was asked for.
            return;
        }
    }
}
