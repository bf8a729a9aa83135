package upa.tools.policy;

import java.io.IOException;
import java.nio.file.Path;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.measure.OneLine;
import upa.pager.live.Pager;
import upa.pager.live.PagerException;
import upa.pager.live.Warmup;
import upa.pager.posix.Linux;
import upa.pager.store.StoreException;

/**
 * {@code upa policy serve}, which {@code upa run --policy} starts: the pager of a user. Descriptor 3 is its socket,
 * which listens already. Standard error is for what keeps this from starting, and is left as soon as this runs.
 */
record ServeCommand(Path control, boolean warm) {
    private static final int LISTENER = 3;
    private static final int OUT = 1;
    private static final int ERR = 2;
    private static final Options OPTIONS = new Options()
            .addOption(Option.builder().longOpt("control").hasArg().get())
            .addOption(Option.builder().longOpt("warm").get());

    static ServeCommand parse(String[] arguments) throws UsageException {
        CommandLine line;
        try {
            line = new DefaultParser(false).parse(OPTIONS, arguments);
        } catch (ParseException e) {
            throw new UsageException("serve: " + e.getMessage());
        }
        String control = line.getOptionValue("control", "");
        if (!line.getArgList().isEmpty() || !line.hasOption("warm") && !control.matches("/.*\\.control")) {
            throw new UsageException("serve is for ./upa run --policy: it needs --control SOCKET, and descriptor 3");
        }
        return new ServeCommand(Path.of(control), line.hasOption("warm"));
    }

    void run() throws PagerException {
        if (warm) {
            try {
                Warmup.run(OneLine::of);
            } catch (StoreException | IOException e) {
                throw new PagerException(e.getMessage());
            }
            return;
        }
        Linux.duplicate(OUT, ERR);
        try (Pager pager = new Pager(control, LISTENER, OneLine::of)) {
            // The user of a program has no use for a trace of ours.
            Thread.setDefaultUncaughtExceptionHandler(pager::failed);
            pager.run();
        }
    }
}
