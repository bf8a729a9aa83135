package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UffdTest {
    /** No memory is no answer: a child that is told so would read zeros. */
    @ParameterizedTest
    @CsvSource({
        "0, false",
        "4096, false",
        "-11, true",
        "-12, true",
        "-2, false",
        "-3, false",
        "-14, false",
        "-17, false"
    })
    void whatIsRefusedForNowIsTriedAgain(int result, boolean again) {
        assertEquals(again, Uffd.refusesForNow(result));
    }
}
