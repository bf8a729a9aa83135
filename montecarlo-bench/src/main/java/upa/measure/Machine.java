package upa.measure;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import upa.measure.report.Units;

/**
 * What the figures were measured on, as the kernel tells it. Read below a root folder, so that tests can make one up.
 */
public final class Machine {

    private final Path root;

    /**
     * A machine.
     *
     * @param root the folder that holds its proc and sys; / for the one we are on
     */
    public Machine(Path root) {
        this.root = root;
    }

    /**
     * What the machine is.
     *
     * @return facts by name, in reading order; what the machine does not tell is left out
     */
    public Map<String, String> facts() {
        Map<String, String> facts = new LinkedHashMap<>();
        field("proc/cpuinfo", "model name").ifPresent(v -> facts.put("CPU", v + ", " + cpus() + " CPUs"));
        text("proc/sys/kernel/osrelease").ifPresent(v -> facts.put("Kernel", v));
        distribution().ifPresent(v -> facts.put("System", v));
        facts.put("Hypervisor", hypervisor());
        facts.put(
                "Memory",
                Units.bytes(memory("MemTotal")) + ", of which " + Units.bytes(availableMemory()) + " available");
        text("sys/kernel/mm/transparent_hugepage/enabled")
                .ifPresent(v -> facts.put(
                        "Transparent huge pages",
                        chosen(v)
                                + text("sys/kernel/mm/transparent_hugepage/defrag")
                                        .map(d -> ", defrag " + chosen(d))
                                        .orElse("")));
        text("proc/sys/vm/overcommit_memory").ifPresent(v -> facts.put("Overcommit", v));
        text("proc/loadavg").ifPresent(v -> facts.put("Load before", v.split(" ")[0]));
        facts.put("Java", System.getProperty("java.vm.name") + " " + System.getProperty("java.vm.version"));
        return facts;
    }

    /**
     * Memory that can be allocated without swapping.
     *
     * @return bytes; 0 if unknown
     */
    public long availableMemory() {
        return memory("MemAvailable");
    }

    /**
     * Threads that want to run, averaged over the last minute.
     *
     * @return 0 or more; 0 if unknown
     */
    public double load() {
        return text("proc/loadavg")
                .map(v -> Double.parseDouble(v.split(" ")[0]))
                .orElse(0.0);
    }

    int cpus() {
        return Runtime.getRuntime().availableProcessors();
    }

    private String hypervisor() {
        if (lines("proc/cpuinfo").stream().noneMatch(l -> l.startsWith("flags") && l.contains(" hypervisor"))) {
            return "none seen";
        }
        String product = Stream.of("sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name")
                .flatMap(f -> text(f).stream())
                .reduce((a, b) -> a + " " + b)
                .orElse("");
        return product.isEmpty() ? "yes" : "yes: " + product;
    }

    private Optional<String> distribution() {
        return lines("etc/os-release").stream()
                .filter(l -> l.startsWith("PRETTY_NAME="))
                .map(l -> l.substring(12).replace("\"", ""))
                .findFirst();
    }

    private long memory(String name) {
        return field("proc/meminfo", name)
                .map(v -> Long.parseLong(v.split(" ")[0]) * 1024)
                .orElse(0L);
    }

    private Optional<String> field(String file, String name) {
        return lines(file).stream()
                .filter(l -> l.startsWith(name) && l.contains(":"))
                .map(l -> l.substring(l.indexOf(':') + 1).strip())
                .findFirst();
    }

    /** Of "always [madvise] never": madvise. */
    private static String chosen(String choices) {
        return choices.replaceAll(".*\\[(.*)\\].*", "$1");
    }

    private Optional<String> text(String file) {
        List<String> lines = lines(file);
        return lines.isEmpty() || lines.getFirst().isBlank()
                ? Optional.empty()
                : Optional.of(lines.getFirst().strip());
    }

    private List<String> lines(String file) {
        try {
            return Files.readAllLines(root.resolve(file));
        } catch (IOException e) {
            return List.of();
        }
    }
}
