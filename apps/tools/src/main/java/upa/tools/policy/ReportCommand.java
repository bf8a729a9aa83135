package upa.tools.policy;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.measure.report.HtmlReport;
import upa.measure.report.Report;
import upa.measure.report.TextReport;
import upa.pager.posix.FileFailure;
import upa.pager.simulate.PageTrace;
import upa.pager.simulate.Recording;
import upa.pager.simulate.TraceException;

/** {@code upa policy report}: what a recording shows, in the terminal and as a page with charts. */
record ReportCommand(Path recording, Path stacks, Path html) {
    private static final Options OPTIONS = new Options()
            .addOption(Option.builder().longOpt("html").hasArg().get())
            .addOption(Option.builder().longOpt("stacks").hasArg().get());

    static ReportCommand parse(String[] arguments) throws UsageException {
        CommandLine line;
        try {
            line = new DefaultParser(false).parse(OPTIONS, arguments);
        } catch (ParseException e) {
            throw new UsageException("report: " + e.getMessage());
        }
        if (line.getArgList().size() != 1) {
            throw new UsageException("the command is: report FILE [--stacks FILE] [--html PAGE]; got files="
                    + line.getArgList().size());
        }
        String html = line.getOptionValue("html");
        String stacks = line.getOptionValue("stacks");
        return new ReportCommand(
                Path.of(line.getArgList().getFirst()),
                stacks == null ? null : Path.of(stacks),
                html == null ? null : Path.of(html));
    }

    void run(PrintStream out) throws TraceException, ProjectException {
        Recording read = Recording.read(recording);
        Stacks sampled = stacks == null ? null : Stacks.read(stacks);
        Report report = new RecordingReport(read, PageTrace.read(recording), sampled).report();
        out.print(new TextReport(false).format(report));
        if (html != null) {
            try {
                Files.writeString(html, HtmlReport.format(report));
            } catch (IOException e) {
                throw new ProjectException("cannot write file=" + html + ": " + FileFailure.reason(e));
            }
            out.println("page with charts: " + html);
        }
    }
}
