package upa.tools.policy;

import java.io.PrintStream;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.measure.OneLine;
import upa.pager.host.Policies;
import upa.pager.host.PolicySpec;
import upa.pager.live.Pager;
import upa.pager.live.PagerException;
import upa.pager.store.StoreException;
import upa.pager.store.StoreSpec;
import upa.policy.PolicyException;

/**
 * {@code upa policy serve}, which {@code upa run --policy} starts: pages a process and what it starts. Says on standard
 * output where its socket is, or with which status it has failed, and no more.
 */
record ServeCommand(PolicySpec policy, long bytes, StoreSpec stores, int process, boolean warm) {
    private static final Options OPTIONS = new Options()
            .addOption(Option.builder().longOpt("policy").hasArg().get())
            .addOption(Option.builder().longOpt("memory").hasArg().get())
            .addOption(Option.builder().longOpt("store").hasArg().get())
            .addOption(Option.builder().longOpt("for").hasArg().get())
            .addOption(Option.builder().longOpt("warm").get());

    static ServeCommand parse(String[] arguments) throws UsageException {
        CommandLine line;
        try {
            line = new DefaultParser(false).parse(OPTIONS, arguments);
        } catch (ParseException e) {
            throw new UsageException("serve: " + e.getMessage());
        }
        String process = line.getOptionValue("for", "");
        if (!line.getArgList().isEmpty() || !process.matches("[1-9][0-9]{0,8}")) {
            throw new UsageException("serve needs --for PID, and no other argument");
        }
        String memory = line.getOptionValue("memory", "");
        long bytes = upa.pager.host.Options.parseBytes(memory);
        if (bytes < Pager.LEAST_BOUND || bytes > 1L << 40) {
            throw new UsageException("option --memory needs a size from 4M to 1T as 512M, got value=" + memory);
        }
        try {
            return new ServeCommand(
                    PolicySpec.parse(line.getOptionValue("policy", Policies.DEFAULT)),
                    bytes,
                    StoreSpec.parse(line.getOptionValue("store", StoreSpec.DEFAULT)),
                    Integer.parseInt(process),
                    line.hasOption("warm"));
        } catch (PolicyException | StoreException e) {
            throw new UsageException(e.getMessage());
        }
    }

    int run(PrintStream out, PrintStream err) throws PagerException, UsageException {
        // The user of a program has no use for a trace of ours.
        Thread.setDefaultUncaughtExceptionHandler(
                (t, e) -> err.println(OneLine.of("upa: the pager's thread=" + t.getName() + " has failed: " + e)));
        try (Pager pager =
                Pager.start(process, policy, bytes, stores, line -> err.println(OneLine.of("upa: " + line)))) {
            out.println("ready " + pager.path());
            out.close();
            if (warm) {
                pager.warm();
            } else {
                pager.run();
            }
            return 0;
        } catch (StoreException e) {
            throw new PagerException(e.getMessage());
        } catch (PolicyException e) {
            throw new UsageException(e.getMessage());
        }
    }
}
