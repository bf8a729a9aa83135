package upa.pager.policies;

import static org.junit.jupiter.api.Assertions.assertEquals;

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

    @Test
    void eachStreamHasItsOwnWindow() {
        assertEquals(range(101, 108), fetched(() -> fault(100, 1)), "the first page is within");
        assertEquals(range(351, 358), fetched(() -> fault(350, 1)));
        assertEquals(List.of(109), fetched(() -> fault(101, 1)), "one further");
        assertEquals(List.of(359), fetched(() -> fault(351, 1)));
        assertEquals(range(396, 399), fetched(() -> fault(395, 1)), "not beyond its end");
        assertEquals(List.of(), fetched(() -> fault(399, 1)));
        assertEquals(List.of(), fetched(() -> fault(400, 1)), "the page behind it is not within");
        assertEquals(List.of(), fetched(() -> fault(99, 1)));
    }

    @Test
    void aStepBackBeginsAnew() {
        assertEquals(range(151, 158), fetched(() -> fault(150, 1)));
        assertEquals(List.of(), fetched(() -> fault(150, 1)), "all of it has been fetched");
        assertEquals(range(121, 128), fetched(() -> fault(120, 1)));
        assertEquals(range(181, 188), fetched(() -> fault(180, 1)), "a leap");
    }

    @Test
    void whatThereIsNoRoomForIsFetchedLater() {
        assertEquals(range(111, 113), fetched(() -> fault(3, 1, 110)));
        assertEquals(range(114, 119), fetched(() -> fault(111, 1)));
        assertEquals(range(120, 122), fetched(() -> fault(512, 1, 112, 113, 114)), "each fault of a batch counts");
    }

    @Test
    void otherHintsEndTheStreamsTheyMeet() {
        hint(Hint.Kind.NORMAL, 200, 100);
        hint(Hint.Kind.WONT_NEED, 100, 300);
        assertEquals(range(151, 158), fetched(() -> fault(150, 1)));
        assertEquals(range(351, 358), fetched(() -> fault(350, 1)));
        hint(Hint.Kind.RANDOM, 199, 2);
        assertEquals(List.of(), fetched(() -> fault(160, 1)));
        assertEquals(List.of(359), fetched(() -> fault(351, 1)), "the other one goes on where it was");
        hint(Hint.Kind.NORMAL, 250, 51);
        assertEquals(List.of(), fetched(() -> fault(352, 1)));
    }

    @Test
    void onlySoManyStreamsAreFollowed() {
        for (int i = 2; i < 64; i++) {
            hint(Hint.Kind.SEQUENTIAL, 1000 + 100 * i, 100);
        }
        hint(Hint.Kind.SEQUENTIAL, 20_000, 100);
        assertEquals(range(7311, 7318), fetched(() -> fault(7310, 1)), "the last one");
        assertEquals(List.of(), fetched(() -> fault(20_010, 1)));
    }

    @Test
    void whatIsFarFromTheCursorLeavesFirst() {
        add(Cause.FETCHED, 1, 2, 3);
        add(Cause.FETCHED, 110, 117, 118, 136, 137, 399, 398, 310);
        fault(120, 1);
        fault(398, 1);
        assertEquals(List.of(110), victims(1), "behind its cursor");
        assertEquals(List.of(117), victims(1));
        assertEquals(List.of(137, 310), victims(2), "or beyond its window; 118 and 136 are within");
        assertEquals(List.of(1), victims(1), "then others");
    }
}
