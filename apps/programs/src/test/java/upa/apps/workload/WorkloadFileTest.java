package upa.apps.workload;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import upa.apps.Fakes;
import upa.measure.MeasureException;

class WorkloadFileTest {

    private static final String PROGRAM = """
        {"title": "a program", "kind": "data", "pageAllocationMatters": false, "packages": ["p", "q"],
         "needs": {"diskMiB": 5, "memoryMiB": 70}, "prepare": ["make", "{data}"], "run": ["program", "{data}/x"],
         "environment": {"LC_ALL": "C"}, "check": "stdout", "timeoutSeconds": 9}
        """;
    private static final String SERVER = """
        {"title": "a server", "kind": "server", "pageAllocationMatters": true,
         "run": ["server", "{port}"], "check": "load",
         "ready": ["probe"], "load": ["load", "{port}"], "loadFormat": "psql-timing", "stop": "SIGINT", "port": 7000}
        """;

    @TempDir
    Path folder;

    @Test
    void allFieldsOfAProgramAreRead() throws Exception {
        Workload workload = read(PROGRAM);
        assertEquals("w", workload.name());
        assertEquals("a program", workload.title());
        assertEquals(Workload.Kind.DATA, workload.kind());
        assertEquals(false, workload.pageAllocationMatters());
        assertEquals(List.of("p", "q"), workload.packages());
        assertEquals(5, workload.diskMiB());
        assertEquals(70, workload.memoryMiB());
        assertEquals(List.of("make", "{data}"), workload.prepare());
        assertEquals(List.of("program", "{data}/x"), workload.run());
        assertEquals(Map.of("LC_ALL", "C"), workload.environment());
        assertEquals(Workload.Check.STDOUT, workload.check());
        assertEquals(9, workload.timeoutSeconds());
        assertTrue(workload.server().isEmpty());
    }

    @Test
    void allFieldsOfAServerAreRead() throws Exception {
        Workload.Server server = read(SERVER).server().orElseThrow();
        assertEquals(List.of("probe"), server.ready());
        assertEquals(List.of("load", "{port}"), server.load());
        assertEquals(LoadFormat.PSQL_TIMING, server.loadFormat());
        assertEquals(2, server.stopSignal());
        assertEquals(7000, server.port());
        assertEquals(Workload.Check.LOAD, read(SERVER).check());
    }

    @Test
    void aCheckCanBeACommand() throws Exception {
        Workload workload = read(PROGRAM.replace("\"stdout\"", "\"sha256sum  linked\""));
        assertEquals(Workload.Check.COMMAND, workload.check());
        assertEquals(List.of("sha256sum", "linked"), workload.checkCommand());
        assertEquals(
                List.of("a b", "c"),
                read(PROGRAM.replace("\"stdout\"", "[\"a b\", \"c\"]")).checkCommand());
    }

    @Test
    void whatIsWrongIsSaidWithFileAndField() throws IOException {
        assertWrong("field=title is missing", PROGRAM.replace("\"title\": \"a program\", ", ""));
        assertWrong("field=titel is unknown", PROGRAM.replace("title", "titel"));
        assertWrong("field=kind must be one of server, data, ", PROGRAM.replace("\"data\"", "\"toy\""));
        assertWrong("field=pageAllocationMatters must be true or false", PROGRAM.replace("false", "\"no\""));
        assertWrong("field=optional must be true or false", PROGRAM.replace("9}", "9, \"optional\": 1}"));
        assertWrong("field=needs.diskMiB must be a whole number", PROGRAM.replace("5,", "-5,"));
        assertWrong("field=needs.diskMib is unknown", PROGRAM.replace("diskMiB", "diskMib"));
        assertWrong("field=run is missing", PROGRAM.replace("[\"program\", \"{data}/x\"]", "[]"));
        assertWrong("field=run must be a list of words", PROGRAM.replace("[\"program\", \"{data}/x\"]", "\"program\""));
        assertWrong(
                "field=environment.LD_PRELOAD must be text, and not LD_PRELOAD",
                PROGRAM.replace("LC_ALL", "LD_PRELOAD"));
        assertWrong("field=timeoutSeconds must be a whole number from 1 to 3600", PROGRAM.replace("9}", "0}"));
        assertWrong(
                "field=check must be stdout of programs, load of servers", PROGRAM.replace("\"stdout\"", "\"load\""));
        assertWrong("field=stop is for servers", PROGRAM.replace("9}", "9, \"stop\": \"SIGTERM\"}"));
        assertWrong("field=loadFormat must be one of upa-load, ", SERVER.replace("psql-timing", "guess"));
        assertWrong("field=stop must be one of SIGHUP, ", SERVER.replace("SIGINT", "SIGNAL"));
        assertWrong("field=port must be a whole number", SERVER.replace("7000", "70000"));
        assertWrong("cannot read workload: file=", "{");
        assertWrong("not an object", "[]");
    }

    @Test
    void theDigestIsOfAllFiles() throws Exception {
        String before = read(PROGRAM).digest();
        assertEquals(before, read(PROGRAM).digest());
        Files.writeString(folder.resolve("w/data.txt"), "1");
        String with = read(PROGRAM).digest();
        assertNotEquals(before, with);
        Files.writeString(folder.resolve("w/data.txt"), "2");
        assertNotEquals(with, read(PROGRAM).digest());
    }

    @Test
    void theProjectsOwnWorkloadsAreReadableAndAsManyAsAskedFor() throws MeasureException {
        List<Workload> all = WorkloadFile.all(Path.of(System.getProperty("upa.root"), "apps/programs/workloads"));
        assertTrue(all.size() >= 40, "workloads=" + all.size());
        assertTrue(all.stream().filter(w -> !w.optional()).count() >= 35, "too few without --full");
        long little = all.stream().filter(w -> !w.pageAllocationMatters()).count();
        assertTrue(
                3 * little >= all.size(),
                "of " + all.size() + " workloads page allocation matters little to " + little);
    }

    private Workload read(String json) throws IOException, MeasureException {
        Files.createDirectories(folder.resolve("w"));
        Files.writeString(folder.resolve("w/workload.json"), json);
        return WorkloadFile.read(folder.resolve("w"));
    }

    private void assertWrong(String message, String json) throws IOException {
        String said = Fakes.problem(() -> {
            try {
                return read(json);
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        });
        assertTrue(said.contains(message) && said.contains("w/workload.json"), said);
    }
}
