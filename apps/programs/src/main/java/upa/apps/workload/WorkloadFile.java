package upa.apps.workload;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import upa.measure.MeasureException;

/**
 * Reads workload.json files, strictly: an unknown field is an error, so that a misspelt one is not silently ignored.
 */
public final class WorkloadFile {

    private static final String FILE = "workload.json";
    private static final Set<String> FIELDS = Set.of(
            "title",
            "kind",
            "pageAllocationMatters",
            "optional",
            "packages",
            "needs",
            "prepare",
            "run",
            "environment",
            "check",
            "timeoutSeconds",
            "ready",
            "load",
            "loadFormat",
            "stop",
            "port");
    private static final Set<String> SERVER_FIELDS = Set.of("ready", "loadFormat", "stop", "port");
    private static final Map<String, Integer> SIGNALS =
            Map.of("SIGHUP", 1, "SIGINT", 2, "SIGQUIT", 3, "SIGUSR1", 10, "SIGUSR2", 12, "SIGTERM", 15);
    private static final int TIMEOUT_SECONDS = 120;
    private static final int MOST_SECONDS = 3600;
    private static final int MOST_PORTS = 65535;

    private final Path file;
    private final JsonObject json;

    private WorkloadFile(Path file, JsonObject json) {
        this.file = file;
        this.json = json;
    }

    /** All workloads below a folder, by name; a file that is wrong is an error that names it. */
    public static List<Workload> all(Path folder) throws MeasureException {
        try (Stream<Path> entries = Files.list(folder)) {
            List<Workload> workloads = new ArrayList<>();
            for (Path entry :
                    entries.filter(e -> Files.exists(e.resolve(FILE))).sorted().toList()) {
                workloads.add(read(entry));
            }
            return workloads;
        } catch (IOException e) {
            throw MeasureException.failure("cannot read workloads: folder=" + folder);
        }
    }

    public static Workload read(Path folder) throws MeasureException {
        Path file = folder.resolve(FILE);
        try {
            JsonElement json = JsonParser.parseString(Files.readString(file));
            if (!json.isJsonObject()) {
                throw new JsonParseException("not an object");
            }
            return new WorkloadFile(file, json.getAsJsonObject()).workload(folder.toAbsolutePath());
        } catch (IOException | JsonParseException e) {
            throw MeasureException.failure("cannot read workload: file=" + file + ": " + e.getMessage());
        }
    }

    private Workload workload(Path folder) throws MeasureException, IOException {
        for (String field : json.keySet()) {
            if (!FIELDS.contains(field)) {
                throw wrong(field, "is unknown");
            }
        }
        JsonObject needs = object("needs");
        for (String field : needs.keySet()) {
            if (!field.equals("diskMiB") && !field.equals("memoryMiB")) {
                throw wrong("needs." + field, "is unknown");
            }
        }
        Optional<Workload.Server> server = server();
        List<String> checkCommand = List.of();
        Workload.Check check = Workload.Check.COMMAND;
        if (json.has("check") && json.get("check").isJsonArray()) {
            checkCommand = command("check", true);
        } else if (text("check").equals(server.isPresent() ? "load" : "stdout")) {
            check = server.isPresent() ? Workload.Check.LOAD : Workload.Check.STDOUT;
        } else if (text("check").equals("load") || text("check").equals("stdout")) {
            throw wrong("check", "must be stdout of programs, load of servers, or a command");
        } else {
            checkCommand = List.of(text("check").split(" +"));
        }
        String kind = text("kind");
        return new Workload(
                folder.getFileName().toString(),
                folder,
                text("title"),
                Arrays.stream(Workload.Kind.values())
                        .filter(k -> k.id().equals(kind))
                        .findFirst()
                        .orElseThrow(() -> wrong(
                                "kind",
                                "must be one of "
                                        + Arrays.stream(Workload.Kind.values())
                                                .map(Workload.Kind::id)
                                                .collect(Collectors.joining(", ")))),
                flag("pageAllocationMatters"),
                json.has("optional") && flag("optional"),
                command("packages", false),
                number(needs, "needs.diskMiB", 0, 1 << 20, 0),
                number(needs, "needs.memoryMiB", 0, 1 << 20, 0),
                command("prepare", false),
                command("run", true),
                environment(),
                check,
                checkCommand,
                (int) number(json, "timeoutSeconds", 1, MOST_SECONDS, TIMEOUT_SECONDS),
                server,
                digest(folder));
    }

    private Optional<Workload.Server> server() throws MeasureException {
        if (!json.has("load")) {
            for (String field : SERVER_FIELDS) {
                if (json.has(field)) {
                    throw wrong(field, "is for servers, which have a load as well");
                }
            }
            return Optional.empty();
        }
        String format = json.has("loadFormat") ? text("loadFormat") : "upa-load";
        String signal = json.has("stop") ? text("stop") : "SIGTERM";
        if (!SIGNALS.containsKey(signal)) {
            throw wrong(
                    "stop",
                    "must be one of " + SIGNALS.keySet().stream().sorted().collect(Collectors.joining(", ")));
        }
        return Optional.of(new Workload.Server(
                command("ready", false),
                command("load", true),
                LoadFormat.find(format).orElseThrow(() -> wrong("loadFormat", "must be one of " + LoadFormat.names())),
                SIGNALS.get(signal),
                (int) number(json, "port", 1, MOST_PORTS, 0)));
    }

    private Map<String, String> environment() throws MeasureException {
        Map<String, String> variables = new LinkedHashMap<>();
        JsonObject object = object("environment");
        for (String name : object.keySet()) {
            if (!object.get(name).isJsonPrimitive()
                    || name.isEmpty()
                    || name.contains("=")
                    || name.equals("LD_PRELOAD")) {
                throw wrong("environment." + name, "must be text, and not LD_PRELOAD");
            }
            variables.put(name, object.get(name).getAsString());
        }
        return variables;
    }

    private String text(String field) throws MeasureException {
        if (!json.has(field)
                || !json.get(field).isJsonPrimitive()
                || json.get(field).getAsString().isBlank()) {
            throw wrong(field, json.has(field) ? "must be text" : "is missing");
        }
        return json.get(field).getAsString();
    }

    private boolean flag(String field) throws MeasureException {
        if (!json.has(field)
                || !json.get(field).isJsonPrimitive()
                || !json.getAsJsonPrimitive(field).isBoolean()) {
            throw wrong(field, json.has(field) ? "must be true or false" : "is missing");
        }
        return json.get(field).getAsBoolean();
    }

    private long number(JsonObject object, String field, long low, long high, long otherwise) throws MeasureException {
        JsonElement value = object.get(field.substring(field.indexOf('.') + 1));
        if (value == null) {
            return otherwise;
        }
        if (value.isJsonPrimitive() && value.getAsString().matches("[0-9]{1,9}")) {
            long number = value.getAsLong();
            if (number >= low && number <= high) {
                return number;
            }
        }
        throw wrong(field, "must be a whole number from " + low + " to " + high);
    }

    private JsonObject object(String field) throws MeasureException {
        if (!json.has(field)) {
            return new JsonObject();
        }
        if (!json.get(field).isJsonObject()) {
            throw wrong(field, "must be an object");
        }
        return json.getAsJsonObject(field);
    }

    /** A list of words; empty only if it is not needed. */
    private List<String> command(String field, boolean needed) throws MeasureException {
        List<String> words = new ArrayList<>();
        if (json.has(field)) {
            if (!json.get(field).isJsonArray()) {
                throw wrong(field, "must be a list of words");
            }
            for (JsonElement word : json.getAsJsonArray(field)) {
                if (!word.isJsonPrimitive()) {
                    throw wrong(field, "must be a list of words");
                }
                words.add(word.getAsString());
            }
        }
        if (needed && words.isEmpty()) {
            throw wrong(field, "is missing");
        }
        return words;
    }

    private MeasureException wrong(String field, String problem) {
        return MeasureException.failure("cannot read workload: file=" + file + ": field=" + field + " " + problem);
    }

    /** SHA-256 of the names and contents of all files. */
    private static String digest(Path folder) throws IOException {
        MessageDigest digest = sha256();
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path path : files.filter(Files::isRegularFile).sorted().toList()) {
                digest.update(folder.relativize(path).toString().getBytes());
                digest.update((byte) 0);
                digest.update(Files.readAllBytes(path));
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    public static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
