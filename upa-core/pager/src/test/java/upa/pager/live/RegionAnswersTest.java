package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import upa.pager.host.PolicySpec;
import upa.pager.posix.Linux;

/** What {@code upa policy} says of regions of the device: two of one process. */
@Timeout(60)
class RegionAnswersTest {
    private static final int PID = 77;

    private final FakeRegion first = new FakeRegion(2048, 1024);
    private final FakeRegion second = new FakeRegion(2048, 1024);
    private final Pager pager = new Pager(Path.of("/none/x.control"), Linux.eventfd(), line -> line);
    private final PagerAnswers answers = new PagerAnswers(pager);

    @BeforeEach
    void start() throws Exception {
        for (FakeRegion region : List.of(first, second)) {
            DevicePager of =
                    DevicePager.start(region.admit(0), PolicySpec.parse("fifo"), 2 << 20, "lz4:16M", line -> {});
            pager.regions().add(new RegionRun(PID, "owner", of));
        }
    }

    @AfterEach
    void end() {
        pager.regions().forEach(run -> run.pager().close());
        first.end();
        second.end();
        pager.close();
    }

    private static String line(String policy, int bound) {
        return String.format(
                "%8d  %-16s  %-24s  bound %d MiB, resident 0 MiB, stored 0 MiB  (a region of the device)%n",
                PID, "owner", policy, bound);
    }

    @Test
    void eachHasALine() {
        String both = "0\n" + line("fifo", 2) + line("fifo", 2);
        assertEquals(both, answers.answer("status"));
        assertEquals(both, answers.answer("status " + PID));
        assertEquals("0\n", answers.answer("status 78"));
        assertEquals("1\nno such process", answers.answer("stats 78"));
    }

    @Test
    void whatIsSetHoldsForAll() {
        assertEquals("0\n", answers.answer("set " + PID + " s3-fifo"));
        assertEquals("0\n", answers.answer("limit " + PID + " memory=3145728"));
        assertEquals("0\n" + line("s3-fifo", 3) + line("s3-fifo", 3), answers.answer("status"));
        String stats = answers.answer("stats " + PID);
        assertEquals(
                2,
                stats.lines()
                        .filter(ProcessFigure.BOUND.line(768).strip()::equals)
                        .count(),
                stats);
    }

    @Test
    void whatCannotBeIsSaid() {
        assertEquals(
                "1\npolicy=clock has no option=x; it has chances, near", answers.answer("set " + PID + " clock,x=1"));
        assertTrue(answers.answer("set " + PID + " none-such").startsWith("1\nthere is no policy=none-such"));
        assertEquals("1\nmemory=5 is out of range: the least is 1M", answers.answer("limit " + PID + " memory=5"));
        for (String command :
                List.of("move %d lz4 file", "record %d 1 /x", "limit %d rate=1", "limit %d memory=1 rate=1")) {
            String answer = answers.answer(command.formatted(PID));
            assertTrue(answer.startsWith("1\npid=77 has regions of the device alone"), answer);
        }
        assertEquals("0\n" + line("fifo", 2) + line("fifo", 2), answers.answer("status"));
    }
}
