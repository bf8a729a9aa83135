package upa.pager.policies;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import upa.policy.Hint;

/** Which faults the policy sequential takes for a sequence, how far it reads ahead, and what hints change. */
class SequentialTest extends PolicyWorld {
    @BeforeEach
    void begin() {
        storeAll();
        start("sequential,first=4,most=16,streams=2");
    }

    @AfterEach
    void nothingIsSaid() {
        assertEquals(List.of(), said);
    }

    @Test
    void nothingIsExpectedBeforeTheFirstFault() {
        assertEquals(List.of(), fetched(() -> fault(1, 1)));
        assertEquals(range(3, 6), fetched(() -> fault(2, 1)));
    }

    @Test
    void aFaultWithinTheNextWindowGoesOn() {
        fault(100, 1);
        assertEquals(range(102, 105), fetched(() -> fault(101, 1)));
        assertEquals(range(111, 118), fetched(() -> fault(110, 1)), "four after 106, as many as the window has");
        assertEquals(List.of(), fetched(() -> fault(128, 1)), "nine after 119");
        assertEquals(range(120, 135), fetched(() -> fault(119, 1)), "where it was expected");
        assertEquals(List.of(), fetched(() -> fault(135, 1)), "before it");
    }

    @Test
    void whatThereIsNoRoomForIsExpectedNext() {
        fault(100, 1);
        assertEquals(range(102, 103), fetched(() -> fault(2, 1, 101)));
        assertEquals(range(105, 112), fetched(() -> fault(104, 1)));
    }

    @Test
    void eachFaultOfABatchCounts() {
        assertEquals(range(502, 505), fetched(() -> fault(512, 1, 500, 501)));
    }

    @Test
    void theSequenceMetLongestAgoIsForgotten() {
        fault(1000, 1);
        fault(2000, 1);
        assertEquals(range(1002, 1005), fetched(() -> fault(1001, 1)));
        fault(3000, 1);
        assertEquals(List.of(), fetched(() -> fault(2001, 1)), "in whose place 3000 is");
        assertEquals(List.of(), fetched(() -> fault(1006, 1)), "and 2001 is in the place of 1001");
        assertEquals(range(2003, 2006), fetched(() -> fault(2002, 1)));
    }

    @Test
    void aHintHoldsForItsPages() {
        hint(Hint.Kind.SEQUENTIAL, 1000, 100);
        assertEquals(range(1100, 1103), fetched(() -> fault(1099, 1)));
        assertEquals(List.of(), fetched(() -> fault(1100, 1)));
        assertEquals(List.of(), fetched(() -> fault(999, 1)));
    }

    @Test
    void theLatestHintHoldsWhereSeveralMeet() {
        hint(Hint.Kind.SEQUENTIAL, 1000, 100);
        hint(Hint.Kind.RANDOM, 1040, 20);
        hint(Hint.Kind.NORMAL, 1080, 10);
        assertEquals(range(1040, 1043), fetched(() -> fault(1039, 1)), "before");
        assertEquals(List.of(), fetched(() -> fault(512, 1, 1040, 1041)));
        assertEquals(List.of(), fetched(() -> fault(512, 1, 1058, 1059)));
        assertEquals(range(1061, 1064), fetched(() -> fault(1060, 1)), "between");
        assertEquals(List.of(), fetched(() -> fault(1085, 1)));
        assertEquals(range(1091, 1094), fetched(() -> fault(1090, 1)), "behind");
        hint(Hint.Kind.RANDOM, 900, 1000);
        assertEquals(List.of(), fetched(() -> fault(512, 1, 1001, 1002)), "all of it");
        assertEquals(List.of(), fetched(() -> fault(512, 1, 1091, 1092)));
    }

    @Test
    void onlySoManyHintsAreRemembered() {
        for (int i = 0; i < 4096; i++) {
            hint(Hint.Kind.SEQUENTIAL, 10 * i, 5);
        }
        hint(Hint.Kind.SEQUENTIAL, 50_000, 5);
        assertEquals(range(40_952, 40_955), fetched(() -> fault(40_951, 1)), "the last one");
        assertEquals(List.of(), fetched(() -> fault(50_001, 1)));
        hint(Hint.Kind.NORMAL, 0, 20);
        hint(Hint.Kind.SEQUENTIAL, 50_000, 5);
        assertEquals(range(50_002, 50_005), fetched(() -> fault(50_001, 1)));
    }
}
