package upa.pager.policies;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import upa.policy.Hint;
import upa.policy.PageBatch.Cause;

/** Streams of the policy csr-window: where they begin and end, what is fetched ahead, and what leaves behind. */
class CsrWindowTest extends PolicyWorld {
    @BeforeEach
    void two() {
        storeAll();
        start("csr-window,window=8,behind=2+clock");
        hint(Hint.Kind.SEQUENTIAL, 100, 100);
        hint(Hint.Kind.SEQUENTIAL, 300, 100);
    }

    @AfterEach
    void nothingIsSaid() {
        assertEquals(List.of(), said);
    }

    /** What a fault fetches of a window of 8 pages: all but the one halfway. */
    private static List<Integer> window(int page) {
        return range(page + 1, page + 8).stream().filter(p -> p != page + 4).toList();
    }

    @Test
    void eachStreamHasItsOwnWindow() {
        assertEquals(window(100), fetched(() -> fault(100, 1)), "the first page is within");
        assertEquals(window(350), fetched(() -> fault(350, 1)));
        assertEquals(range(110, 112), fetched(() -> fault(104, 1)), "halfway the next half");
        assertEquals(range(360, 362), fetched(() -> fault(354, 1)));
        assertEquals(range(114, 117), fetched(() -> fault(109, 1)), "and so on");
        assertEquals(range(396, 399), fetched(() -> fault(395, 1)), "all up to the end");
        assertEquals(List.of(), fetched(() -> fault(399, 1)));
        assertEquals(List.of(), fetched(() -> fault(400, 1)), "the page behind it is not within");
        assertEquals(List.of(), fetched(() -> fault(99, 1)));
    }

    @Test
    void aStepBackBeginsAnew() {
        assertEquals(window(150), fetched(() -> fault(150, 1)));
        assertEquals(List.of(), fetched(() -> fault(150, 1)), "all of it has been fetched");
        assertEquals(window(120), fetched(() -> fault(120, 1)));
        assertEquals(window(180), fetched(() -> fault(180, 1)), "a leap");
    }

    @Test
    void whatThereIsNoRoomForIsFetchedLater() {
        assertEquals(
                List.of(112, 113), fetched(() -> fault(2, 1, 110)), "the wire is halfway of what there is room for");
        assertEquals(List.of(114, 115, 117, 118, 119, 120), fetched(() -> fault(112, 1)));
        assertEquals(List.of(121, 122), fetched(() -> fault(512, 1, 113, 114)), "each fault of a batch counts");
    }

    @Test
    void whatIsInMemoryIsNeitherFetchedNorAWire() {
        add(Cause.FETCHED, 151, 152, 154, 155);
        assertEquals(List.of(153, 157, 158), fetched(() -> fault(150, 1)));
    }

    @Test
    void otherHintsEndTheStreamsTheyMeet() {
        hint(Hint.Kind.NORMAL, 200, 100);
        hint(Hint.Kind.WONT_NEED, 100, 300);
        assertEquals(window(150), fetched(() -> fault(150, 1)));
        assertEquals(window(350), fetched(() -> fault(350, 1)));
        hint(Hint.Kind.RANDOM, 199, 2);
        assertEquals(List.of(), fetched(() -> fault(160, 1)));
        assertEquals(range(360, 362), fetched(() -> fault(354, 1)), "the other one goes on where it was");
        hint(Hint.Kind.NORMAL, 250, 51);
        assertEquals(List.of(), fetched(() -> fault(352, 1)));
    }

    @Test
    void onlySoManyStreamsAreFollowed() {
        for (int i = 2; i < 64; i++) {
            hint(Hint.Kind.SEQUENTIAL, 1000 + 100 * i, 100);
        }
        hint(Hint.Kind.SEQUENTIAL, 20_000, 100);
        assertEquals(window(7310), fetched(() -> fault(7310, 1)), "the last one");
        assertEquals(List.of(), fetched(() -> fault(20_010, 1)));
    }

    @Test
    void aHintThatIsRepeatedChangesNothingAndAnotherOneTakesItsPlace() {
        assertEquals(window(150), fetched(() -> fault(150, 1)));
        hint(Hint.Kind.SEQUENTIAL, 100, 100);
        assertEquals(range(160, 162), fetched(() -> fault(154, 1)), "as if nothing had been said");
        hint(Hint.Kind.SEQUENTIAL, 100, 60);
        assertEquals(window(150), fetched(() -> fault(150, 1)), "begun anew");
        assertEquals(List.of(), fetched(() -> fault(170, 1)), "the longer one has ended");
        hint(Hint.Kind.SEQUENTIAL, 90, 400);
        hint(Hint.Kind.NORMAL, 490, 10);
        assertEquals(window(350), fetched(() -> fault(350, 1)), "one for both");
        hint(Hint.Kind.NORMAL, 489, 1);
        assertEquals(List.of(), fetched(() -> fault(250, 1)));
    }

    @Test
    void whatWasReadLastLeavesFirst() {
        add(Cause.FETCHED, 1, 2, 3);
        add(Cause.FETCHED, 105, 110, 117, 118, 119, 120, 124, 127, 128, 129, 150, 199);
        fault(120, 1);
        assertEquals(List.of(117, 110), victims(2), "but for the two behind the cursor");
        assertEquals(List.of(105, 199, 150), victims(3), "the end comes behind the beginning");
        assertEquals(List.of(129), victims(1));
        assertEquals(List.of(1), victims(1), "the window stays, and others leave");
    }

    @Test
    void ofSeveralStreamsTheLatestPageLeaves() {
        fault(150, 1);
        fault(380, 1);
        add(Cause.FETCHED, 120, 145, 147, 340, 370, 376);
        assertEquals(List.of(147, 376, 145, 370, 120, 340), victims(6));
    }

    /** Of all pages: as many faults as with the rule that knows the future. */
    @Test
    void inALoopAsMuchStaysAsFits() {
        hint(Hint.Kind.NORMAL, 0, PAGES);
        hint(Hint.Kind.SEQUENTIAL, 1000, 1000);
        int missed = 0;
        int resident = 0;
        for (int round = 0; round < 5; round++) {
            missed = 0;
            for (int page = 1000; page < 2000; page++) {
                if (pages.isResident(page)) {
                    continue;
                }
                missed++;
                if (resident == 600) {
                    // More than one, as a pager does ahead of need.
                    resident -= victims(8).size();
                }
                fault(0, 1, page);
                add(Cause.FETCHED, page);
                resident++;
            }
        }
        assertTrue(missed >= 400 && missed <= 440, "missed=" + missed);
    }

    @Test
    void whatComesBackIsAVictimAgain() {
        add(Cause.FETCHED, 101, 102, 103, 104, 105, 106, 107);
        fault(112, 1);
        assertEquals(List.of(107, 106, 105, 104, 103, 102, 101), victims(7));
        add(Cause.RESCUED, 106, 102);
        assertEquals(List.of(106, 102), victims(2));
        add(Cause.RESCUED, 103);
        add(Cause.FETCHED, 199);
        assertEquals(List.of(103, 199), victims(2));
    }
}
