package upa.tools.policy;

import java.util.ArrayList;
import java.util.List;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.pager.live.Pager;
import upa.pager.live.PagerCommand;
import upa.pager.live.PagerException;

/** {@code upa policy limit}: another bound for a running program, another rate for its moves. */
record LimitCommand(int pid, String limits) {
    private static final long LEAST_RATE = 64 << 10;
    private static final Options OPTIONS = new Options()
            .addOption(Option.builder().longOpt("memory").hasArg().get())
            .addOption(Option.builder().longOpt("rate").hasArg().get());

    static LimitCommand parse(String[] arguments) throws UsageException {
        CommandLine line;
        try {
            line = new DefaultParser(false).parse(OPTIONS, arguments);
        } catch (ParseException e) {
            throw new UsageException("limit: " + e.getMessage());
        }
        List<String> limits = new ArrayList<>();
        if (line.hasOption("memory")) {
            limits.add("memory=" + size(line, "memory", Pager.LEAST_BOUND, "a size from 4M to 1T as 512M"));
        }
        if (line.hasOption("rate")) {
            limits.add("rate="
                    + (line.getOptionValue("rate").equals("none")
                            ? Long.MAX_VALUE
                            : size(line, "rate", LEAST_RATE, "bytes a second from 64K to 1T as 64M, or none")));
        }
        if (line.getArgList().size() != 1 || limits.isEmpty()) {
            throw new UsageException("the command is: limit PID [--memory SIZE] [--rate SIZE|none]; got processes="
                    + line.getArgList().size() + ", limits=" + limits.size());
        }
        return new LimitCommand(Main.pid(line.getArgList().getFirst()), String.join(" ", limits));
    }

    private static long size(CommandLine line, String option, long least, String needs) throws UsageException {
        String text = line.getOptionValue(option);
        long bytes = upa.pager.host.Options.parseBytes(text);
        if (bytes < least || bytes > 1L << 40) {
            throw new UsageException("option --" + option + " needs " + needs + ", got value=" + text);
        }
        return bytes;
    }

    void run() throws PagerException {
        PagerCommand.ask(pid, "limit", limits);
    }
}
