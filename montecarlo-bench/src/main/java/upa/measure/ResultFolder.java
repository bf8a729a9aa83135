package upa.measure;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import upa.measure.report.HtmlReport;
import upa.measure.report.Report;
import upa.measure.report.TextReport;

/** The folder that a run leaves behind: report.html, results.csv (a line per row) and results.json. */
public final class ResultFolder {

    /** Writes records with names such as size_bytes, as the columns of results.csv are called. */
    public static final Gson JSON = new GsonBuilder()
            .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
            .setPrettyPrinting()
            .disableHtmlEscaping()
            .create();

    private static final String REPORT = "report.html";
    private static final String CSV = "results.csv";
    private static final String DATA = "results.json";

    private final Path folder;

    private ResultFolder(Path folder) {
        this.folder = folder;
    }

    /**
     * Makes the folder, and sees that something can be written there: before, and not after hours.
     *
     * @param folder which
     * @return the folder
     * @throws MeasureException if that fails
     */
    public static ResultFolder make(Path folder) throws MeasureException {
        try {
            Files.createDirectories(folder);
            Files.delete(Files.createTempFile(folder, "upa", ""));
            return new ResultFolder(folder);
        } catch (IOException e) {
            throw cannotWrite(folder, e);
        }
    }

    /**
     * Shows the report on the console and writes the files.
     *
     * @param console where to show it
     * @param report what to show
     * @param type of the rows
     * @param rows the lines of results.csv, and {@code measurements} in results.json
     * @param data what results.json holds besides, by name, in this order
     * @param <R> type of the rows
     * @throws MeasureException if the files cannot be written
     */
    public <R extends Record> void publish(
            Console console, Report report, Class<R> type, List<R> rows, Map<String, ?> data) throws MeasureException {
        console.out().print(new TextReport(console.terminal()).format(report));
        JsonObject root = new JsonObject();
        data.forEach((name, value) -> root.add(name, JSON.toJsonTree(value)));
        root.add("measurements", JSON.toJsonTree(rows));
        try {
            Files.writeString(folder.resolve(REPORT), HtmlReport.format(report));
            Files.writeString(folder.resolve(CSV), Csv.format(type, rows));
            Files.writeString(folder.resolve(DATA), JSON.toJson(root) + "\n");
        } catch (IOException e) {
            throw cannotWrite(folder, e);
        }
        console.out().println("\nReport with charts: " + folder.resolve(REPORT));
        console.out().println("Data: " + folder.resolve(CSV) + ", " + folder.resolve(DATA));
    }

    /**
     * Shows a report on the console and writes it as a page of another name, beside the results that are there.
     *
     * @param console where to show it
     * @param report what to show
     * @param name of the page, such as compare.html
     * @throws MeasureException if it cannot be written
     */
    public void publishPage(Console console, Report report, String name) throws MeasureException {
        console.out().print(new TextReport(console.terminal()).format(report));
        try {
            Files.writeString(folder.resolve(name), HtmlReport.format(report));
        } catch (IOException e) {
            throw cannotWrite(folder, e);
        }
        console.out().println("\nReport with charts: " + folder.resolve(name));
    }

    /**
     * The file of data in a folder that a run has left behind.
     *
     * @param folder which
     * @return its results.json
     */
    public static Path data(Path folder) {
        return folder.resolve(DATA);
    }

    /**
     * What to say when results cannot be written.
     *
     * @param file a file or folder
     * @param e what the system said
     * @return the exception to throw
     */
    public static MeasureException cannotWrite(Path file, IOException e) {
        return MeasureException.failure("cannot write results: file=" + file + ": " + reason(e));
    }

    /**
     * Why something cannot be written: in Java the message often is but the name of the file.
     *
     * @param e what the system said
     * @return a few words
     */
    public static String reason(IOException e) {
        return switch (e) {
            case NoSuchFileException _ -> "no such folder, and it cannot be made";
            case AccessDeniedException _ -> "permission denied";
            case FileAlreadyExistsException _ -> "not a folder";
            case FileSystemException f when f.getReason() != null -> f.getReason();
            default -> e.getMessage();
        };
    }
}
