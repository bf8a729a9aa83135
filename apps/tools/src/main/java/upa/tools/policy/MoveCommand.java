package upa.tools.policy;

import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.pager.live.PagerCommand;
import upa.pager.live.PagerException;

/** {@code upa policy move}: has pages of a running program go from one store to another, and waits until they have. */
record MoveCommand(int pid, String from, String to) {
    private static final String STORE = "[a-z0-9]{1,16}";
    private static final Options OPTIONS = new Options()
            .addOption(Option.builder().longOpt("from").hasArg().get())
            .addOption(Option.builder().longOpt("to").hasArg().get());

    static MoveCommand parse(String[] arguments) throws UsageException {
        CommandLine line;
        try {
            line = new DefaultParser(false).parse(OPTIONS, arguments);
        } catch (ParseException e) {
            throw new UsageException("move: " + e.getMessage());
        }
        if (line.getArgList().size() != 1) {
            throw new UsageException("the command is: move PID --from STORE --to STORE; got processes="
                    + line.getArgList().size());
        }
        return new MoveCommand(Main.pid(line.getArgList().getFirst()), store(line, "from"), store(line, "to"));
    }

    private static String store(CommandLine line, String option) throws UsageException {
        String name = line.getOptionValue(option, "");
        if (!name.matches(STORE)) {
            throw new UsageException(
                    "option --" + option + " needs a store of the process as lz4, file or redis, got value=" + name);
        }
        return name;
    }

    String run() throws PagerException {
        return PagerCommand.ask(pid, "move", from + " " + to);
    }
}
