package upa.tools.policy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.FlameGraph;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.pager.posix.FileFailure;

/** Stacks of threads that wait for pages: has them sampled by {@code upa-stacks}, reads and shows them. */
record Stacks(Map<String, Long> faults) {
    private static final int MOST_ROWS = 10;

    /** A sampling that goes on beside something else. */
    static final class Sampling implements AutoCloseable {
        private final Process process;
        private final Path errors;

        private Sampling(Process process, Path errors) {
            this.process = process;
            this.errors = errors;
        }

        /** Waits for its end. */
        void join() throws ProjectException {
            try {
                int status = process.waitFor();
                String said = Files.readString(errors).strip();
                if (status != 0) {
                    throw new ProjectException(said.isEmpty() ? "upa-stacks ended with status=" + status : said);
                }
            } catch (IOException e) {
                throw new ProjectException("cannot read file=" + errors + ": " + FileFailure.reason(e));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ProjectException("interrupted");
            }
        }

        @Override
        public void close() throws ProjectException {
            process.destroy();
            try {
                Files.deleteIfExists(errors);
            } catch (IOException e) {
                throw new ProjectException("cannot delete file=" + errors + ": " + FileFailure.reason(e));
            }
        }
    }

    /**
     * Begins to sample.
     *
     * @param program upa-stacks
     * @param pid     of the process
     * @param seconds how long
     * @param file    where stacks go
     */
    static Sampling begin(Path program, int pid, int seconds, Path file) throws ProjectException {
        if (!Files.isExecutable(program)) {
            throw new ProjectException("no stacks can be taken: there is no program=" + program
                    + "; to have it: apt-get install libdw-dev, then ./upa build");
        }
        try {
            Path errors = Files.createTempFile("upa-stacks", ".err");
            return new Sampling(
                    new ProcessBuilder(program.toString(), Integer.toString(pid), Integer.toString(seconds))
                            .redirectOutput(file.toFile())
                            .redirectError(errors.toFile())
                            .start(),
                    errors);
        } catch (IOException e) {
            throw new ProjectException("cannot write file=" + file + ": " + e.getMessage());
        }
    }

    /**
     * Reads collapsed stacks, whoever has made them.
     *
     * @param file a stack and its count in each line
     */
    static Stacks read(Path file) throws ProjectException {
        List<String> lines;
        try {
            lines = Files.readAllLines(file, StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new ProjectException("cannot read file=" + file + ": " + FileFailure.reason(e));
        }
        Map<String, Long> faults = new LinkedHashMap<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            int space = line.lastIndexOf(' ');
            if (space < 1 || !line.substring(space + 1).matches("[0-9]{1,18}")) {
                throw new ProjectException(
                        "not collapsed stacks: file=" + file + " line=" + (i + 1) + ": FRAME;FRAME... COUNT is needed");
            }
            faults.merge(line.substring(0, space), Long.parseLong(line.substring(space + 1)), Long::sum);
        }
        return new Stacks(faults);
    }

    /** {@return what a report shows of them} */
    Section section() {
        if (faults.isEmpty()) {
            return new Section("stacks", "Where threads wait", List.of(new Text("", "No fault was sampled.")));
        }
        Map<String, Long> innermost = new HashMap<>();
        faults.forEach((stack, n) -> innermost.merge(stack.substring(stack.lastIndexOf(';') + 1), n, Long::sum));
        long all = faults.values().stream().mapToLong(Long::longValue).sum();
        List<List<Cell>> rows = new ArrayList<>();
        innermost.entrySet().stream()
                .sorted(Map.Entry.<String, Long>comparingByValue().reversed().thenComparing(Map.Entry.comparingByKey()))
                .limit(MOST_ROWS)
                .forEach(e -> rows.add(List.of(
                        Cell.of(e.getKey()),
                        Cell.of(String.format(Locale.ROOT, "%.1f %%", 100.0 * e.getValue() / all)))));
        return new Section(
                "stacks",
                "Where threads wait",
                List.of(
                        new Text(
                                "",
                                "Functions that touch pages which are not in memory, by sampled faults: each sample"
                                        + " stands for as many as there were since the one before."),
                        new Table("functions that wait most", false, List.of("function", "of the faults"), rows),
                        new FlameGraph(
                                "stacks of faults",
                                "As wide as they are frequent; callers below what they call.",
                                "faults",
                                faults)));
    }
}
