package upa.apps.results;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import upa.apps.Fakes;

class RunLogTest {

    @TempDir
    Path folder;

    private final Run first = Fakes.run("a", "glibc", 0, 1.5, 7, 9);
    private final Run second = Fakes.run("a", "upa", 0, 1, 7, 9).withProblem("it said \"no\"");

    @Test
    void runsComeBackAsTheyWere() throws Exception {
        RunLog log = new RunLog(folder.resolve("new"));
        assertEquals(List.of(), log.read());
        log.begin(List.of(first));
        log.add(second);
        assertEquals(List.of(first, second), log.read());
    }

    @Test
    void whatWasThereBeforeIsSetAside() throws Exception {
        RunLog log = new RunLog(folder);
        log.setAside();
        log.begin(List.of(first));
        log.setAside();
        log.begin(List.of(second));
        assertEquals(List.of(second), log.read());
        Files.move(folder.resolve(RunLog.OLD), folder.resolve(RunLog.FILE), StandardCopyOption.REPLACE_EXISTING);
        assertEquals(List.of(first), log.read());
    }

    @Test
    void aLineThatWasCutOffIsLeftOut() throws Exception {
        RunLog log = new RunLog(folder);
        log.begin(List.of(first));
        Files.writeString(folder.resolve(RunLog.FILE), "{\"workload\":\"a\",\"dig", StandardOpenOption.APPEND);
        assertEquals(List.of(first), log.read());
    }

    @Test
    void aFileOfSomethingElseIsRefused() throws Exception {
        Files.writeString(folder.resolve(RunLog.FILE), "hello\n{}\n");
        String said = Fakes.problem(() -> new RunLog(folder).read());
        assertTrue(said.contains("line=1 is not a run: delete it, or run without --resume"), said);
    }
}
