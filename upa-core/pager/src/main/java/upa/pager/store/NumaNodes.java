package upa.pager.store;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The NUMA nodes of a machine that have memory.
 *
 * @param nodes by number; a machine without NUMA has one, or none that is known
 */
public record NumaNodes(List<Node> nodes) {
    private static final Path FOLDER = Path.of("/sys/devices/system/node");
    private static final Pattern TOTAL = Pattern.compile("MemTotal:\\s+(\\d+) kB");
    private static final int KIB_SHIFT = 10;

    /**
     * One node.
     *
     * @param number of the node
     * @param bytes  its memory
     * @param cpus   its processors as the kernel writes them, {@code 0-3,8}; empty: it has none
     */
    public record Node(int number, long bytes, String cpus) {
        @Override
        public String toString() {
            return number + " (" + (bytes >> 2 * KIB_SHIFT) + "M, " + (cpus.isEmpty() ? "without CPUs" : "CPUs " + cpus)
                    + ")";
        }
    }

    /** {@return the nodes of this machine} */
    public static NumaNodes machine() {
        return read(FOLDER);
    }

    /** Of a folder as the kernel's; nodes that cannot be read are left out. */
    static NumaNodes read(Path folder) {
        List<Node> nodes = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, "node[0-9]*")) {
            for (Path entry : entries) {
                Matcher total = TOTAL.matcher(Files.readString(entry.resolve("meminfo")));
                long bytes = total.find() ? Long.parseLong(total.group(1)) << KIB_SHIFT : 0;
                if (bytes > 0) {
                    nodes.add(new Node(
                            Integer.parseInt(entry.getFileName().toString().substring("node".length())),
                            bytes,
                            Files.readString(entry.resolve("cpulist")).strip()));
                }
            }
        } catch (IOException e) {
            // A kernel without NUMA has no such folder.
            return new NumaNodes(List.of());
        }
        nodes.sort(Comparator.comparingInt(Node::number));
        return new NumaNodes(List.copyOf(nodes));
    }

    /**
     * Finds a node.
     *
     * @param number its number
     * @return the node, if it has memory
     */
    public Optional<Node> node(int number) {
        return nodes.stream().filter(n -> n.number == number).findFirst();
    }

    /**
     * Where pages come back to from a node: to one with processors, if there is one.
     *
     * @param far number of the node
     * @return the lowest other one
     */
    public Optional<Node> nearOf(int far) {
        return nodes.stream()
                .filter(n -> n.number != far)
                .min(Comparator.comparing((Node n) -> n.cpus.isEmpty()).thenComparingInt(Node::number));
    }

    @Override
    public String toString() {
        return nodes.isEmpty() ? "none" : nodes.stream().map(Node::toString).collect(Collectors.joining(", "));
    }
}
