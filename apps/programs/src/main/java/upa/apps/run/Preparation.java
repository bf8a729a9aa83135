package upa.apps.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import upa.apps.workload.Workload;
import upa.measure.Console;
import upa.measure.Machine;
import upa.measure.MeasureException;

/**
 * Makes a workload ready to run: packages, disk, memory, data. What cannot be made ready is left out, with a line that
 * says why.
 */
public final class Preparation {

    private static final long MIB = 1 << 20;
    private static final int INSTALL_SECONDS = 900;
    private static final int PREPARE_SECONDS = 900;

    private final Settings settings;
    private final Machine machine;
    private final Console console;
    private final Commands commands;
    private final boolean root = System.getProperty("user.name").equals("root");

    public Preparation(Settings settings, Machine machine, Console console) {
        this.settings = settings;
        this.machine = machine;
        this.console = console;
        commands = new Commands(settings.work().resolve("prepare"));
    }

    public void stop() {
        commands.stop();
    }

    /** Installs what the workloads lack, all at once if possible. What fails is found out by {@link #problem}. */
    public void install() throws MeasureException {
        Set<String> missing = new LinkedHashSet<>();
        for (Workload workload : settings.workloads()) {
            missing.addAll(missing(workload));
        }
        if (missing.isEmpty()) {
            return;
        }
        console.err().println("upa apps: installing " + String.join(" ", missing));
        if (!install(List.copyOf(missing))) {
            for (Workload workload : settings.workloads()) {
                install(missing(workload));
            }
        }
    }

    private boolean install(List<String> packages) throws MeasureException {
        if (packages.isEmpty()) {
            return true;
        }
        List<String> command = new ArrayList<>(root ? List.of() : List.of("sudo", "-n"));
        command.addAll(List.of(
                "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "--no-install-recommends", "install"));
        command.addAll(packages);
        return run(command, Path.of("/"), Map.of(), INSTALL_SECONDS).isGood();
    }

    /** Packages that are not installed; all are if this is no Debian. */
    private List<String> missing(Workload workload) throws MeasureException {
        if (workload.packages().isEmpty() || !Files.isExecutable(Path.of("/usr/bin/dpkg-query"))) {
            return List.of();
        }
        List<String> command = new ArrayList<>(List.of("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"));
        command.addAll(workload.packages());
        List<String> installed = run(command, Path.of("/"), Map.of(), INSTALL_SECONDS)
                .output()
                .lines()
                .filter(l -> l.endsWith(" installed"))
                .map(l -> l.split(" ")[0])
                .toList();
        return workload.packages().stream().filter(p -> !installed.contains(p)).toList();
    }

    /** Makes a workload ready. Returns why it cannot be; empty if it is. */
    public Optional<String> problem(Workload workload) throws MeasureException {
        List<String> missing = missing(workload);
        if (!missing.isEmpty()) {
            return Optional.of("missing packages, install them with: apt-get install " + String.join(" ", missing));
        }
        long memory = machine.availableMemory();
        if (memory > 0 && memory < workload.memoryMiB() * MIB) {
            return Optional.of(
                    "too little memory: available=" + memory / MIB + " MiB needed=" + workload.memoryMiB() + " MiB");
        }
        try {
            return data(workload);
        } catch (IOException e) {
            throw MeasureException.failure("cannot prepare workload=" + workload.name() + ": " + e.getMessage());
        }
    }

    private Optional<String> data(Workload workload) throws IOException, MeasureException {
        Path data = Measurer.data(settings, workload);
        // Written last: data without it are half made.
        Path done = data.resolveSibling(workload.name() + ".prepared");
        if (Files.exists(data) && Commands.read(done).equals(workload.digest())) {
            return Optional.empty();
        }
        Files.deleteIfExists(done);
        Measurer.delete(data);
        Files.createDirectories(data);
        long disk = Files.getFileStore(data).getUsableSpace();
        if (disk < workload.diskMiB() * MIB) {
            return Optional.of("too little disk: folder=" + data + " available=" + disk / MIB + " MiB needed="
                    + workload.diskMiB() + " MiB");
        }
        if (!workload.prepare().isEmpty()) {
            console.err().println("upa apps: preparing " + workload.name());
            Commands.Outcome outcome = run(
                    Measurer.fill(workload.prepare(), settings, workload, Map.of()), data, Map.of(), PREPARE_SECONDS);
            if (!outcome.isGood()) {
                return Optional.of("cannot be prepared: " + outcome.problem());
            }
        }
        Files.writeString(done, workload.digest());
        return Optional.empty();
    }

    private Commands.Outcome run(List<String> command, Path in, Map<String, String> variables, long seconds)
            throws MeasureException {
        try {
            return commands.run(command, in, variables, seconds);
        } catch (IOException e) {
            throw MeasureException.failure("cannot run " + command.getFirst() + ": " + e.getMessage());
        }
    }
}
