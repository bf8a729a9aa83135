package upa.measure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class OneLineTest {

    @Test
    void whatIsOneLineStays() {
        String text = "a b\\n ~\u00a0\u00e9\u20ac\ud83d\ude00";
        assertSame(text, OneLine.of(text));
        assertEquals("", OneLine.of(""));
    }

    @Test
    void controlCharactersAreWritten() {
        assertEquals("a\\nb\\rc\\td\\x1b[1m\\x00\\x1f\\x7f", OneLine.of("a\nb\rc\td\u001b[1m\0\u001f\u007f"));
        assertEquals("\\x80\\x9b\\x9f\u00a0\ud83d\ude00", OneLine.of("\u0080\u009b\u009f\u00a0\ud83d\ude00"));
    }

    @Test
    void noneIsLeft() {
        String all = IntStream.range(0, 0x300).mapToObj(Character::toString).collect(Collectors.joining());
        assertTrue(OneLine.of(all).chars().noneMatch(Character::isISOControl));
    }
}
