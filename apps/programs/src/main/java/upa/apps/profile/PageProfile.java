package upa.apps.profile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import upa.tools.trace.SizeClass;
import upa.tools.trace.Trace;
import upa.tools.trace.TraceException;
import upa.tools.trace.TraceRecord;
import upa.tools.trace.TraceSummary;

/**
 * What a program and its children ask of a page allocator, from traces of all of them.
 *
 * @param requests for memory, and moves of the heap's end
 * @param bytes asked for, heap included
 * @param againBytes of these, what had been freed before
 * @param purgedBytes given back by madvise with the addresses kept
 * @param typicalBytes the size class that most mmapped bytes are in, by its lower end; 0 without any
 * @param typicalLifetimeNs median lifetime of its blocks; 0 if none ended
 */
public record PageProfile(
        long requests, long bytes, long againBytes, long purgedBytes, long typicalBytes, long typicalLifetimeNs) {

    /** Reads the traces of a run: a file, and one per child with a suffix. Empty if there is none that can be read. */
    public static Optional<PageProfile> read(Path file) throws IOException {
        long requests = 0;
        long bytes = 0;
        long again = 0;
        long purged = 0;
        Map<Long, Long> bytesOfClass = new TreeMap<>();
        Map<Long, SizeClass> largest = new TreeMap<>();
        boolean any = false;
        for (Path trace : traces(file)) {
            TraceSummary summary;
            try (Trace opened = Trace.open(trace)) {
                summary = TraceSummary.of(opened);
            } catch (TraceException e) {
                continue; // A process that was killed before it wrote a header.
            }
            any = true;
            requests += summary.memoryRequests() + summary.requests().getOrDefault(TraceRecord.Kind.BREAK, 0L);
            bytes += summary.memoryBytes() + summary.heapGrownBytes();
            again += summary.refaultedBytes();
            purged += summary.purgedBytes();
            for (SizeClass size : summary.sizes()) {
                bytesOfClass.merge(size.leastBytes(), size.bytes(), Long::sum);
                largest.merge(size.leastBytes(), size, (a, b) -> a.ended() >= b.ended() ? a : b);
            }
        }
        if (!any) {
            return Optional.empty();
        }
        Optional<SizeClass> typical = bytesOfClass.entrySet().stream()
                .max(Map.Entry.comparingByValue())
                .map(e -> largest.get(e.getKey()));
        return Optional.of(new PageProfile(
                requests,
                bytes,
                again,
                purged,
                typical.map(SizeClass::leastBytes).orElse(0L),
                typical.map(SizeClass::medianLifetimeNs).orElse(0L)));
    }

    private static List<Path> traces(Path file) throws IOException {
        String name = file.getFileName().toString();
        try (Stream<Path> files = Files.list(file.getParent())) {
            return files.filter(f -> f.getFileName().toString().matches(Pattern.quote(name) + "(\\.[0-9]+)*"))
                    .sorted(Comparator.naturalOrder())
                    .toList();
        }
    }

    /** Removes the traces of a run. */
    public static void delete(Path file) throws IOException {
        for (Path trace : traces(file)) {
            Files.delete(trace);
        }
    }

    /** The part of what it asks for that it had freed before, from 0 to 1. */
    public double again() {
        return bytes == 0 ? 0 : againBytes / (double) bytes;
    }
}
