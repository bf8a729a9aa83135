package upa.tools.policy;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.pager.live.PagerCommand;
import upa.pager.live.PagerException;

/**
 * {@code upa policy record}: has the pager write down what happens to the pages of a program, for some seconds. With
 * pid 0, of the only one there is. Stacks of threads that wait for pages are sampled meanwhile, unless that is null.
 */
record RecordCommand(int pid, Path file, int seconds, Path stacks, Path root) {
    private static final int MOST_SECONDS = 3600;
    private static final Options OPTIONS = new Options()
            .addOption(Option.builder().longOpt("seconds").hasArg().get())
            .addOption(Option.builder().longOpt("stacks").hasArg().get());

    static RecordCommand parse(String[] arguments, Path root) throws UsageException {
        CommandLine line;
        try {
            line = new DefaultParser(false).parse(OPTIONS, arguments);
        } catch (ParseException e) {
            throw new UsageException("record: " + e.getMessage());
        }
        String seconds = line.getOptionValue("seconds", "10");
        if (!seconds.matches("[1-9][0-9]{0,3}") || Integer.parseInt(seconds) > MOST_SECONDS) {
            throw new UsageException("option --seconds needs a number from 1 to 3600, got value=" + seconds);
        }
        int count = line.getArgList().size();
        if (count != 1 && count != 2) {
            throw new UsageException(
                    "the command is: record [PID] FILE [--seconds 10] [--stacks FILE]; got arguments=" + count);
        }
        return new RecordCommand(
                count == 1 ? 0 : Main.pid(line.getArgList().getFirst()),
                absolute(line.getArgList().getLast()),
                Integer.parseInt(seconds),
                line.hasOption("stacks") ? absolute(line.getOptionValue("stacks")) : null,
                root);
    }

    private static Path absolute(String file) {
        return Path.of(file).toAbsolutePath().normalize();
    }

    private static void check(Path file) throws ProjectException {
        if (Files.isDirectory(file) || !Files.isDirectory(file.getParent())) {
            throw new ProjectException("cannot write file=" + file + ": "
                    + (Files.isDirectory(file) ? "it is a directory" : "there is no such folder"));
        }
    }

    String run() throws PagerException, ProjectException {
        check(file);
        int of = pid == 0 ? PagerCommand.only() : pid;
        if (stacks == null) {
            return PagerCommand.ask(of, "record", seconds + " " + file);
        }
        check(stacks);
        if (pid != 0) {
            // Of a process that nobody pages it would sample in vain.
            PagerCommand.check(of);
        }
        try (Stacks.Sampling sampling =
                Stacks.begin(root.resolve("build/release/bin/upa-stacks"), of, seconds, stacks)) {
            String said = PagerCommand.ask(of, "record", seconds + " " + file);
            sampling.join();
            return said;
        }
    }
}
