package upa.apps.results;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import upa.measure.MeasureException;
import upa.measure.ResultFolder;

/** runs.jsonl: a line of JSON per finished run, written at once, so that a run that was cut short can go on. */
public final class RunLog {

    public static final String FILE = "runs.jsonl";
    public static final String OLD = "runs.old.jsonl";
    private static final Gson GSON = new Gson();

    private final Path file;

    public RunLog(Path folder) {
        file = folder.resolve(FILE);
    }

    /** The runs of the file; none if there is no file. A last line that was cut off is left out. */
    public List<Run> read() throws MeasureException {
        List<Run> runs = new ArrayList<>();
        if (!Files.exists(file)) {
            return runs;
        }
        try {
            List<String> lines = Files.readAllLines(file);
            for (int i = 0; i < lines.size(); i++) {
                try {
                    Run run = GSON.fromJson(lines.get(i), Run.class);
                    if (run == null || run.workload() == null || run.digest() == null || run.contestant() == null) {
                        throw new JsonParseException("fields are missing");
                    }
                    runs.add(run);
                } catch (JsonParseException e) {
                    if (i < lines.size() - 1) {
                        throw MeasureException.failure("cannot resume: file=" + file + " line=" + (i + 1)
                                + " is not a run: delete it, or run without --resume");
                    }
                }
            }
            return runs;
        } catch (IOException e) {
            throw MeasureException.failure("cannot resume: file=" + file + ": " + e.getMessage());
        }
    }

    /** Sets the runs of before aside, for whoever wants them back: they may have taken hours. */
    public void setAside() throws MeasureException {
        try {
            if (Files.exists(file)) {
                Files.move(file, file.resolveSibling(OLD), StandardCopyOption.REPLACE_EXISTING);
            }
        } catch (IOException e) {
            throw ResultFolder.cannotWrite(file, e);
        }
    }

    /** Begins the file anew with these runs. */
    public void begin(List<Run> runs) throws MeasureException {
        try {
            Files.createDirectories(file.getParent());
            Files.write(file, runs.stream().map(GSON::toJson).toList());
        } catch (IOException e) {
            throw ResultFolder.cannotWrite(file, e);
        }
    }

    public void add(Run run) throws MeasureException {
        try {
            Files.writeString(file, GSON.toJson(run) + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw ResultFolder.cannotWrite(file, e);
        }
    }
}
