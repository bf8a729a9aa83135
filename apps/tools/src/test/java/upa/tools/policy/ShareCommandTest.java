package upa.tools.policy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import upa.pager.live.PagerCommand;
import upa.pager.live.PagerException;

class ShareCommandTest {
    private static final long MIB = 1 << 20;

    private final ByteArrayOutputStream said = new ByteArrayOutputStream();
    private final PrintStream out = new PrintStream(said, true, StandardCharsets.UTF_8);

    /** Programs as pagers tell of them: bound, resident and stored in MiB. */
    private static final class Programs implements ShareCommand.Source {
        private final Map<Integer, long[]> all = new TreeMap<>();
        private final List<String> order = new ArrayList<>();
        private final Map<Integer, Long> resident = new TreeMap<>();
        private int gone;

        @Override
        public List<PagerCommand.Program> programs() {
            return all.entrySet().stream()
                    .map(e -> new PagerCommand.Program(
                            e.getKey(),
                            e.getValue()[0] * MIB,
                            e.getValue()[1] * MIB,
                            e.getValue()[2] * MIB,
                            "a program"))
                    .toList();
        }

        @Override
        public void limit(int pid, long bytes) throws PagerException {
            if (pid == gone) {
                throw new PagerException("gone");
            }
            order.add(pid + "=" + bytes / MIB);
            all.get(pid)[0] = bytes / MIB;
            assertTrue(all.values().stream().mapToLong(p -> p[0]).sum() <= most, "together they have more: " + order);
        }

        @Override
        public long resident(int pid) {
            return resident.getOrDefault(pid, 0L);
        }

        private long most = Long.MAX_VALUE;
    }

    private final Programs programs = new Programs();

    private static ShareCommand of(long mib, String... shares) throws UsageException {
        List<String> arguments = new ArrayList<>(List.of("--memory", mib + "M", "--once"));
        arguments.addAll(List.of(shares));
        return ShareCommand.parse(arguments.toArray(String[]::new));
    }

    @Test
    void dividesByShares() throws Exception {
        programs.all.put(7, new long[] {512, 400, 400});
        programs.all.put(9, new long[] {512, 400, 400});
        of(104, "7=3").look(programs, out);
        // 4 MiB each first, then by shares.
        assertEquals(List.of("7=76", "9=28"), programs.order);
        assertTrue(said.toString(StandardCharsets.UTF_8).startsWith("pid=7 (a program): bound 512 MiB, now 76 MiB\n"));
        programs.order.clear();
        of(104, "7=3").look(programs, out);
        assertEquals(List.of(), programs.order, "nothing has changed");
    }

    /** Whoever is to have less has it before another gets more. */
    @Test
    void togetherTheyNeverHaveMore() throws Exception {
        programs.all.put(1, new long[] {20, 20, 500});
        programs.all.put(2, new long[] {80, 10, 0});
        programs.most = 100;
        of(100).look(programs, out);
        assertEquals(2, programs.order.size(), programs.order.toString());
        assertTrue(
                programs.order.get(0).startsWith("2=") && programs.order.get(1).startsWith("1="));
        assertTrue(programs.all.get(1)[0] > 80, programs.order.toString());
    }

    /** What is in memory counts too where its pager has not looked yet. */
    @Test
    void aProgramFarBelowItsBoundNeedsWhatItHas() throws Exception {
        programs.all.put(1, new long[] {512, 0, 0});
        programs.all.put(2, new long[] {512, 0, 0});
        programs.resident.put(1, 400 * MIB);
        of(200).look(programs, out);
        assertTrue(programs.all.get(1)[0] > 150, programs.order.toString());
        assertTrue(programs.all.get(2)[0] < 20, programs.order.toString());
    }

    @Test
    void oneThatIsGoneKeepsNobodyFromItsShare() throws Exception {
        programs.all.put(1, new long[] {512, 400, 0});
        programs.all.put(2, new long[] {512, 400, 0});
        programs.gone = 1;
        of(200).look(programs, out);
        assertEquals(List.of("2=100"), programs.order);
    }

    @Test
    void saysWhatCannotBe() throws Exception {
        of(64).look(programs, out);
        assertEquals("no process of this user is paged\n", said.toString(StandardCharsets.UTF_8));
        programs.all.put(1, new long[] {512, 400, 0});
        programs.all.put(2, new long[] {512, 400, 0});
        assertEquals(
                "memory=4194304 is too little for processes=2: each needs 4M",
                assertThrows(PagerException.class, () -> of(4).look(programs, out))
                        .getMessage());
        assertEquals(List.of(), programs.order);
        for (String share : new String[] {"7", "7=0", "7=1001", "x=1", "7=1=1", "0=1"}) {
            assertEquals(
                    "a share is PID=N, with N from 1 to 1000, got share=" + share,
                    assertThrows(UsageException.class, () -> of(64, share)).getMessage());
        }
        assertEquals(
                "given twice: share of pid=7",
                assertThrows(UsageException.class, () -> of(64, "7=1", "7=2")).getMessage());
        assertEquals(
                "option --memory needs a size from 4M to 1T as 8G, for all, got value=",
                assertThrows(UsageException.class, () -> ShareCommand.parse(new String[] {"7=1"}))
                        .getMessage());
    }
}
