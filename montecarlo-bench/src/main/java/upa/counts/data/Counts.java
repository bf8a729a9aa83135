package upa.counts.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import upa.measure.MeasureException;

/**
 * What the measurement programs of the kernel module have printed: exact instruction counts from the virtual machine,
 * or times from a host. The format is described in counts/measure.h.
 *
 * @param rows in the order measured
 * @param facts by name, from lines such as "# fact kernel 6.1.0"
 * @param remarks other lines that begin with #
 */
public record Counts(List<Row> rows, Map<String, String> facts, List<String> remarks) {

    public static final String HEADER = "program,backend,operation,bytes,pages,batch,unit,total,per_page";
    private static final int FIELDS = 9;

    /**
     * One line.
     *
     * @param program that measured it
     * @param backend what it measured
     * @param operation such as touch
     * @param pages of 4 KiB in the request
     * @param batch ranges given to the kernel in one call; 0: no call
     * @param unit instructions or nanoseconds
     * @param total for the whole request
     */
    public record Row(
            String program, String backend, String operation, long pages, long batch, String unit, double total) {}

    public static Counts read(Path file) throws MeasureException {
        try {
            return parse(file.getFileName().toString(), Files.readAllLines(file));
        } catch (IOException e) {
            throw MeasureException.failure("cannot read counts: file=" + file + ": " + e.getMessage());
        }
    }

    /**
     * Reads such output.
     *
     * @throws MeasureException if it is malformed; the message names the line
     */
    public static Counts parse(String name, List<String> lines) throws MeasureException {
        List<Row> rows = new ArrayList<>();
        Map<String, String> facts = new LinkedHashMap<>();
        List<String> remarks = new ArrayList<>();
        boolean header = false;
        for (String line : lines) {
            String[] fields = line.split(",");
            if (line.startsWith("# fact ")) {
                String[] parts = line.split(" ", 4);
                facts.put(parts[2], parts.length > 3 ? parts[3] : "");
            } else if (line.startsWith("#")) {
                remarks.add(line.substring(1).strip());
            } else if (line.equals(HEADER)) {
                header = true;
            } else if (!header || fields.length != FIELDS) {
                throw MeasureException.failure("malformed counts: file=" + name + " line=" + line);
            } else {
                rows.add(row(name, line, fields));
            }
        }
        if (rows.isEmpty()) {
            throw MeasureException.failure("no counts: file=" + name);
        }
        return new Counts(rows, facts, remarks);
    }

    private static Row row(String name, String line, String[] fields) throws MeasureException {
        try {
            return new Row(
                    fields[0],
                    fields[1],
                    fields[2],
                    Long.parseLong(fields[4]),
                    Long.parseLong(fields[5]),
                    fields[6],
                    Double.parseDouble(fields[7]));
        } catch (NumberFormatException e) {
            throw MeasureException.failure("malformed counts: file=" + name + " line=" + line);
        }
    }

    /** The total of one operation on a request of so many pages. */
    public Optional<Double> total(String program, String backend, String operation, long pages) {
        return rows.stream()
                .filter(r -> r.program().equals(program)
                        && r.backend().equals(backend)
                        && r.operation().equals(operation)
                        && r.pages() == pages)
                .map(Row::total)
                .findFirst();
    }

    /** The sizes, in pages and rising, for which the operation was measured. */
    public List<Long> pages(String program, String backend, String operation) {
        return rows.stream()
                .filter(r -> r.program().equals(program)
                        && r.backend().equals(backend)
                        && r.operation().equals(operation))
                .map(Row::pages)
                .distinct()
                .sorted()
                .toList();
    }

    /** The sum of several operations, if all of them were measured. */
    public Optional<Double> sum(String backend, long pages, String... operations) {
        double sum = 0;
        for (String operation : operations) {
            Optional<Double> one = total("page_cost", backend, operation, pages);
            if (one.isEmpty()) {
                return Optional.empty();
            }
            sum += one.get();
        }
        return Optional.of(sum);
    }
}
