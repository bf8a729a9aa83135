package upa.apps.results;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import upa.apps.Fakes;
import upa.apps.workload.Workload;
import upa.measure.Figure;
import upa.measure.Figure.Verdict;
import upa.measure.stats.Interval;

class ResultsTest {

    private final Workload a = Fakes.workload("a", true);
    private final Workload b = Fakes.workload("b", false);
    private final List<Run> runs = new ArrayList<>();

    private void runs(String workload, String contestant, double... seconds) {
        for (int round = 0; round < seconds.length; round++) {
            runs.add(Fakes.run(workload, contestant, round, seconds[round], 1000, 100));
        }
    }

    private Results results() {
        return new Results(List.of(a, b), runs);
    }

    @Test
    void ratiosAreTakenRoundByRound() {
        runs("a", "glibc", 2, 4, 8);
        runs("a", "upa", 1, 2, 4);
        Interval ratio = results().speedUp(a, "glibc", "upa").orElseThrow();
        assertEquals(2, ratio.estimate(), 1e-9);
        assertEquals(2, ratio.low(), 1e-9);
        assertEquals(2, ratio.high(), 1e-9);
        assertEquals(4e9, results().median(a, "glibc", Run::wallNs).orElseThrow());
    }

    @Test
    void warmUpsCountForNothing() {
        runs("a", "glibc", 2, 2);
        runs.add(Fakes.run("a", "glibc", Run.WARM_UP, 99, 1, 1));
        assertEquals(2e9, results().median(a, "glibc", Run::wallNs).orElseThrow());
    }

    @Test
    void roundsThatOnlyOneHasAreLeftOut() {
        runs("a", "glibc", 2, 2, 2);
        runs("a", "upa", 1);
        assertEquals(2, results().speedUp(a, "glibc", "upa").orElseThrow().estimate(), 1e-9);
    }

    @Test
    void aRatioIsSettledOnceItsIntervalIsNarrowOrFarFromOne() {
        runs("a", "glibc", 1, 1, 1, 1);
        runs("a", "upa", 1.01, 1, 0.99, 1);
        assertTrue(results().isSettled(a, "glibc", "upa"), "within 4 %");
        runs("a", "dlmalloc", 0.2, 0.25, 0.3, 0.25);
        assertTrue(results().isSettled(a, "glibc", "dlmalloc"), "far from 1");
        runs("a", "jemalloc", 0.9, 0.95, 0.9, 0.99);
        assertFalse(results().isSettled(a, "glibc", "jemalloc"), "beyond 1, but not by its own width");
        runs("a", "mimalloc", 0.9, 1.1, 0.9, 1.1);
        assertFalse(results().isSettled(a, "glibc", "mimalloc"), "about 1");
        runs.add(Fakes.run("a", "mimalloc", 9, 1, 1, 1).withProblem("it was killed"));
        assertTrue(results().isSettled(a, "glibc", "mimalloc"), "failed");
        assertTrue(results().isSettled(a, "glibc", "tcmalloc"), "never ran");
    }

    @Test
    void aContestantThatFailedOnceHasNoFigures() {
        runs("a", "glibc", 2, 2);
        runs("a", "upa", 1, 1);
        runs.set(3, runs.get(3).withProblem("it was killed"));
        assertEquals(Optional.of("it was killed"), results().problem(a, "upa"));
        assertTrue(results().speedUp(a, "glibc", "upa").isEmpty());
        assertTrue(results().median(a, "upa", Run::wallNs).isEmpty());
    }

    @Test
    void serversAreComparedByTheirThroughput() {
        Workload s = Fakes.server("s");
        List<Run> requests = List.of(Fakes.request("s", "glibc", 0, 100), Fakes.request("s", "upa", 0, 150));
        assertEquals(
                1.5,
                new Results(List.of(s), requests)
                        .speedUp(s, "glibc", "upa")
                        .orElseThrow()
                        .estimate(),
                1e-9);
    }

    @Test
    void meansAreGeometricOverWorkloads() {
        runs("a", "glibc", 4, 4);
        runs("a", "upa", 1, 1);
        runs("b", "glibc", 1, 1);
        runs("b", "upa", 1, 1);
        assertEquals(
                2,
                results().speedUp(List.of(a, b), "glibc", "upa").orElseThrow().estimate(),
                1e-9);
    }

    @Test
    void theBestRivalIsChosenPerWorkload() {
        runs("a", "glibc", 4);
        runs("a", "glibc-tuned", 2);
        runs("a", "jemalloc-tuned", 3);
        runs("a", "mimalloc", 1); // no rival: it gives memory back
        runs("a", "upa", 2);
        runs("b", "glibc", 4);
        runs("b", "glibc-tuned", 4);
        runs("b", "jemalloc-tuned", 1);
        runs("b", "upa", 4);
        assertEquals(
                0.5,
                results().speedUpOverBest(List.of(a, b), "upa").orElseThrow().estimate(),
                1e-9);
    }

    @Test
    void whoWasLuckyInOneRoundIsNotTheBestRivalOfThatRound() {
        runs("a", "glibc-tuned", 2, 2, 1, 2, 2);
        runs("a", "tcmalloc-tuned", 1, 2, 2, 2, 2);
        runs("a", "jemalloc-tuned", 1.9, 1.9, 1.9, 1.9, 1.9);
        runs("a", "upa", 1.9, 1.9, 1.9, 1.9, 1.9);
        assertEquals(
                1, results().speedUpOverBest(List.of(a), "upa").orElseThrow().estimate(), 1e-9);
    }

    @Test
    void figuresAreHeldAgainstTheirTargets() {
        runs("a", "glibc", 4, 4, 4);
        runs("a", "upa", 2, 2, 2);
        runs("b", "glibc", 1, 1, 1);
        runs("b", "upa", 1, 1.3, 1.6);
        runs("a", "jemalloc", 6, 6, 6);
        runs("a", "upa-jemalloc", 1, 1, 1);
        runs.add(Fakes.run("a", "upa-jemalloc", 3, 1, 1000, 100));
        List<Figure> figures = AppsFigures.of(results());
        assertVerdict(Verdict.REACHED, "", figures, "geometric mean over all programs");
        assertVerdict(Verdict.UNMEASURED, "", figures, "geometric mean over all programs, each against its best rival");
        assertVerdict(Verdict.MISSED, "", figures, "programs at least 1.41x as fast as under glibc");
        assertVerdict(Verdict.UNDECIDED, "b", figures, "programs to which page allocation hardly matters");
        assertVerdict(Verdict.REACHED, "a", figures, "upa-jemalloc, churn of large blocks");
        assertVerdict(Verdict.UNMEASURED, "", figures, "upa-mimalloc, churn of large blocks");
        assertVerdict(Verdict.REACHED, "a", figures, "peak memory of upa");
    }

    private static void assertVerdict(Verdict verdict, String where, List<Figure> figures, String name) {
        Figure figure =
                figures.stream().filter(f -> f.name().equals(name)).findFirst().orElseThrow();
        assertEquals(verdict, figure.verdict(), figure.toString());
        assertEquals(where, figure.where(), figure.toString());
    }

    private Verdict verdict(String name) {
        return AppsFigures.of(results()).stream()
                .filter(f -> f.name().equals(name))
                .findFirst()
                .orElseThrow()
                .verdict();
    }

    @Test
    void aFigureWhoseControlIsFurtherFromOneThanItFromItsTargetSaysNothing() {
        String worst = "programs to which page allocation hardly matters";
        runs("a", "glibc", 1, 1, 1, 1);
        runs("a", "upa", 0.8, 0.8, 0.8, 0.8);
        runs("b", "glibc", 1, 1, 1, 1);
        runs("b", "upa", 1.1, 1.1, 1.1, 1.1);
        assertEquals(Verdict.MISSED, verdict(worst), "without a control");
        assertEquals(Verdict.REACHED, verdict("peak memory of upa"));
        runs("a", "glibc-again", 1, 1, 1, 1);
        runs("b", "glibc-again", 1.05, 1.05, 1.05, 1.05);
        assertEquals(Verdict.MISSED, verdict(worst), "the figure is further from its target than its control from 1");
        runs.removeIf(r -> r.contestant().equals("glibc-again") && r.workload().equals("b"));
        runs("b", "glibc-again", 0.85, 0.85, 0.85, 0.85);
        assertEquals(Verdict.NOISE, verdict(worst));
        assertEquals(Verdict.NOISE, verdict("geometric mean over all programs"));
        assertEquals(Verdict.REACHED, verdict("peak memory of upa"), "of memory the control says nothing");
    }

    @Test
    void aLossThatIsSureIsNotHiddenByOneThatIsNot() {
        String worst = "programs to which page allocation hardly matters";
        Workload c = Fakes.workload("c", false);
        runs("b", "glibc", 1, 1, 1);
        runs("b", "upa", 1.04, 1.05, 1.06);
        runs("b", "glibc-again", 1, 1, 1);
        runs("c", "glibc", 1, 1, 1);
        runs("c", "upa", 0.9, 1.3, 1.3);
        runs("c", "glibc-again", 1.2, 1.2, 1.2);
        Figure figure = AppsFigures.of(new Results(List.of(a, b, c), runs)).stream()
                .filter(f -> f.name().equals(worst))
                .findFirst()
                .orElseThrow();
        assertEquals(Verdict.MISSED, figure.verdict());
        assertEquals("b", figure.where());
    }

    @Test
    void programsThatAreMuchFasterAreCountedByTheirIntervals() {
        String much = "programs at least 1.41x as fast as under glibc";
        List<Workload> four = new ArrayList<>();
        for (String name : List.of("p", "q", "r", "s")) {
            four.add(Fakes.workload(name, true));
            runs(name, "glibc", 1, 1, 1);
        }
        runs("p", "upa", 0.5, 0.5, 0.5);
        runs("q", "upa", 0.5, 0.5, 0.5);
        runs("r", "upa", 0.5, 0.9, 0.9);
        assertMuch(Verdict.UNDECIDED, "2 to 3", much, four);
        runs("s", "upa", 0.7, 0.7, 0.7);
        assertMuch(Verdict.REACHED, "3 to 4", much, four);
        assertMuch(Verdict.MISSED, "1 to 2", much, four.subList(1, 3));
        assertMuch(Verdict.MISSED, "1", much, four.subList(0, 1));
    }

    private void assertMuch(Verdict verdict, String measured, String name, List<Workload> among) {
        Figure figure = AppsFigures.of(new Results(among, runs)).stream()
                .filter(f -> f.name().equals(name))
                .findFirst()
                .orElseThrow();
        assertEquals(verdict, figure.verdict());
        assertEquals(measured, figure.measured());
    }

    @Test
    void peaksAreHeldAgainstTheMost() {
        for (int round = 0; round < 3; round++) {
            runs.add(Fakes.run("a", "glibc", round, 1, 1, 1000));
            runs.add(Fakes.run("a", "upa", round, 1, 1, 1300));
            runs.add(Fakes.run("b", "glibc", round, 1, 1, 1000));
            runs.add(Fakes.run("b", "upa", round, 1, 1, 900));
        }
        assertVerdict(Verdict.MISSED, "a", AppsFigures.of(results()), "peak memory of upa");
        for (int round = 0; round < 3; round++) {
            runs.add(Fakes.run("a", "glibc-again", round, 1, 1, 1100));
        }
        assertVerdict(Verdict.NOISE, "a", AppsFigures.of(results()), "peak memory of upa");
    }

    @Test
    void whatDiffersNoMoreThanTheControlIsNoise() {
        runs("a", "glibc", 1, 1, 1);
        runs("a", "upa", 1.05, 1.05, 1.06);
        assertFalse(results().isNoise(a, "upa"), "no control");
        runs("a", "glibc-again", 0.94, 0.93, 0.95);
        assertTrue(results().isNoise(a, "upa"), "in whichever direction");
        assertTrue(results().isNoise(a, "glibc-again"));
        runs("a", "jemalloc", 1.08, 1.08, 1.08);
        assertFalse(results().isNoise(a, "jemalloc"));
        runs("a", "mimalloc", 0.9, 0.9, 0.9);
        assertFalse(results().isNoise(a, "mimalloc"));
        assertFalse(results().isNoise(b, "upa"), "never ran");
    }
}
