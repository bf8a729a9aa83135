package upa.internal.region;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How much free memory stays, on a clock that the test makes: the cases of {@code tests/preload/policy/retain.c}. */
class RetainTest {
    private static final long MIB = 1 << 20;
    private static final long FLOOR = 2 * MIB;
    private static final long STEP = 16;

    private Retain retain;
    private long now;
    /** What limits allow to be kept, and what was said to be kept when they were asked. */
    private long keepable;

    private long asked;
    /** Of what is kept, so much is marked already. */
    private long lazy;

    @BeforeEach
    void begin() {
        begin(10, 1000);
    }

    private void begin(int percent, long halfLife) {
        retain = new Retain(percent, halfLife);
        now = 1_000_000;
        keepable = Long.MAX_VALUE;
        asked = 0;
        lazy = 0;
    }

    private Retain.Verdict verdict(long allocated, long retained, long freed) {
        now += STEP;
        return retain.look(now, allocated, retained, lazy, freed, kept -> {
            asked = kept;
            return keepable;
        });
    }

    private long look(long allocated, long retained, long freed) {
        Retain.Verdict verdict = verdict(allocated, retained, freed);
        assertEquals(Retain.KEEP, verdict.unmarked());
        return verdict.keep();
    }

    private long look(long allocated, long retained) {
        return look(allocated, retained, 0);
    }

    private static void assertNear(long expected, long actual) {
        assertTrue(Math.abs(actual - expected) <= expected / 1000 + 1, actual + " is not near " + expected);
    }

    /** A sixteenth less than what may be kept. */
    private static long downTo(long kept) {
        return kept - kept / 16;
    }

    @Test
    void aTenthMoreThanThePeakMayStayBut2MiBAtLeast() {
        assertNear(downTo(10 * MIB), look(100 * MIB, 11 * MIB));
        assertEquals(100 * MIB, retain.peak());
        begin();
        assertEquals(Retain.KEEP, look(100 * MIB, 10 * MIB - 1024));
        begin();
        assertEquals(downTo(FLOOR), look(5 * MIB, 3 * MIB));
        begin();
        assertEquals(Retain.KEEP, look(5 * MIB, FLOOR));
        begin(50, 1000);
        assertNear(downTo(50 * MIB), look(100 * MIB, 51 * MIB));
        begin(0, 1000);
        assertEquals(downTo(FLOOR), look(100 * MIB, 51 * MIB));
    }

    /** What was in use counts half after each half-life, in a straight line between. */
    @ParameterizedTest
    @CsvSource({"16, 0.992", "500, 0.75", "1000, 0.5", "1500, 0.375", "2000, 0.25", "5000, 0.03125", "60000, 0"})
    void whatWasInUseHalves(long passed, double left) {
        look(200 * MIB, 0);
        now += passed - STEP;
        look(40 * MIB, 160 * MIB);
        assertNear((long) (160 * MIB * left), retain.peak() - 40 * MIB);
    }

    /** In many small steps the straight lines take 1 / (2 ln 2) = 1.39 times as long: 0.607 are left for 0.5. */
    @Test
    void inSmallStepsItTakesSomewhatLonger() {
        look(200 * MIB, 0);
        for (int i = 0; i < 1000 / STEP; i++) {
            look(40 * MIB, 20 * MIB);
        }
        assertTrue(Math.abs(retain.peak() - 137 * MIB) < 2 * MIB, "peak=" + retain.peak());
    }

    @Test
    void withoutAHalfLifeOnlyWhatIsInUseCounts() {
        begin(10, 0);
        look(200 * MIB, 0);
        assertNear(downTo(4 * MIB), look(40 * MIB, 160 * MIB));
        assertEquals(40 * MIB, retain.peak());
    }

    @Test
    void thePeakRisesAtOnce() {
        look(10 * MIB, 0);
        assertEquals(Retain.KEEP, look(90 * MIB, 8 * MIB));
        assertEquals(90 * MIB, retain.peak());
    }

    @Test
    void whatWasInUseUntilThisVeryLookHasBeenInUse() {
        assertEquals(Retain.KEEP, look(20 * MIB, 50 * MIB, 50 * MIB));
        assertEquals(70 * MIB, retain.peak());
    }

    /** What a limit has no room for stays, marked, and a quarter more: as {@code limit_marks} of {@code lazy.c}. */
    @Test
    void limitsHaveMarkedWhatTheyLeaveNoRoomFor() {
        keepable = 16 * MIB;
        assertEquals(new Retain.Verdict(Retain.KEEP, 12 * MIB, 16 * MIB), verdict(0, 100 * MIB, 100 * MIB));
        assertEquals(100 * MIB, asked);
        lazy = 88 * MIB;
        assertEquals(Retain.KEEP, look(0, 100 * MIB, 0), "not again");
        lazy = 84 * MIB;
        assertEquals(Retain.KEEP, look(0, 100 * MIB, 0), "not before it is more than may stay");
        lazy = 84 * MIB - 1;
        assertEquals(12 * MIB, verdict(0, 100 * MIB, 0).unmarked());
        keepable = 100 * MIB;
        lazy = 0;
        assertEquals(Retain.KEEP, look(0, 100 * MIB, 0), "all of it may stay");
    }

    @Test
    void limitsAreOfNoInterestToWhoKeepsLittle() {
        keepable = 0;
        assertEquals(new Retain.Verdict(Retain.KEEP, Retain.KEEP, MIB), verdict(400 * MIB, MIB, 0));
        assertEquals(0, asked, "not asked");
    }

    /** Where tasks wait for memory, and where others have all that a limit allows. */
    @Test
    void whereNothingMayStayItGoes() {
        keepable = 0;
        Retain.Verdict verdict = verdict(0, MIB + 1, 100 * MIB);
        assertEquals(new Retain.Verdict(0, Retain.KEEP, 0), verdict);
        assertTrue(verdict.isUrgent());
        keepable = 1;
        verdict = verdict(0, 2 * MIB, 0);
        assertEquals(new Retain.Verdict(Retain.KEEP, 1, 1), verdict);
        assertFalse(verdict.isUrgent());
    }

    /** Time takes away, and of what is left a limit has the rest marked. */
    @Test
    void bothAtOnce() {
        keepable = 4 * MIB;
        assertEquals(new Retain.Verdict(downTo(40 * MIB), 3 * MIB, 4 * MIB), verdict(400 * MIB, 100 * MIB, 0));
        lazy = 97 * MIB;
        assertEquals(new Retain.Verdict(downTo(40 * MIB), Retain.KEEP, 4 * MIB), verdict(400 * MIB, 100 * MIB, 0));
        keepable = 38 * MIB;
        lazy = 0;
        assertEquals(new Retain.Verdict(downTo(40 * MIB), Retain.KEEP, 38 * MIB), verdict(400 * MIB, 100 * MIB, 0));
    }

    @Test
    void steadyIsWhatTimeDoesNotChange() {
        look(400 * MIB, 0);
        assertEquals(Retain.KEEP, look(100 * MIB, 300 * MIB));
        assertFalse(retain.isSteady(100 * MIB, 300 * MIB));
        assertFalse(retain.isSteady(100 * MIB, 10 * MIB + 1));
        assertTrue(retain.isSteady(100 * MIB, 10 * MIB - 1024));
        assertTrue(retain.isSteady(0, FLOOR));
        assertFalse(retain.isSteady(0, FLOOR + 1));
        now += 3_600_000;
        assertEquals(Retain.KEEP, look(100 * MIB, 10 * MIB - 1024), "nothing that is steady goes");
        assertTrue(Retain.isSettled(FLOOR));
        assertFalse(Retain.isSettled(FLOOR + 1));
    }

    /** A clock that stands still, or a second look at the same instant, takes nothing away. */
    @Test
    void noTimeNoDecay() {
        look(200 * MIB, 0);
        now -= STEP;
        look(40 * MIB, 160 * MIB);
        assertEquals(200 * MIB, retain.peak());
    }
}
