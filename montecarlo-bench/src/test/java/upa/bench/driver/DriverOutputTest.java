package upa.bench.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import upa.measure.MeasureException;

class DriverOutputTest {

    private static final String POINT = "point warm 4096 8 24 2400000 6 0 1 3";

    @Test
    void readsFactsPointsAndSamples() throws MeasureException {
        DriverOutput output = DriverOutput.parse(List.of(
                "upa-driver 1",
                "fact contestant kernel",
                "fact malloc_library /lib/with a space.so",
                POINT,
                "s 100000 90000",
                "s 110000",
                "point cold 8192 1 0 0 0 1 0 0",
                "end 2"));
        assertEquals("kernel", output.facts().get("contestant"));
        assertEquals("/lib/with a space.so", output.facts().get("malloc_library"));
        DriverOutput.Point point = output.points().getFirst();
        assertEquals("warm", point.phase());
        assertEquals(4096, point.size());
        assertEquals(8, point.batch());
        assertEquals(100, point.mean());
        assertEquals(6, point.faults());
        assertEquals(1, point.moved());
        assertEquals(3, point.latencies().count());
        assertEquals(100, point.latencies().median(), 0.1);
        assertEquals(110, point.latencies().max(), 0.1);
        assertEquals(1, output.points().get(1).failures());
    }

    @Test
    void anotherVersionIsRejected() {
        assertMalformed("line=1 'upa-driver 2': expected 'upa-driver 1'", "upa-driver 2", "end 0");
        assertMalformed("line=1 '': expected 'upa-driver 1'");
    }

    @Test
    void truncationIsNoticedWhereverItHappens() {
        assertMalformed("truncated: lines=1, and no 'end'", "upa-driver 1");
        assertMalformed("truncated: lines=3, and no 'end'", "upa-driver 1", POINT, "s 1 2 3");
        assertMalformed("line=4 'end 1': samples still due: 1", "upa-driver 1", POINT, "s 1 2", "end 1");
        assertMalformed("line=3 'end 1': samples still due: 3", "upa-driver 1", POINT, "end 1");
        assertMalformed("line=4 'end 2': points seen: 1", "upa-driver 1", POINT, "s 1 2 3", "end 2");
    }

    @Test
    void nonsenseIsRejectedWithItsLine() {
        assertMalformed("line=2 'hello': unknown kind of line", "upa-driver 1", "hello", "end 0");
        assertMalformed("line=2 'point warm 4096': not as described", "upa-driver 1", "point warm 4096", "end 1");
        assertMalformed("line=3 's 1 x 3': not as described", "upa-driver 1", POINT, "s 1 x 3", "end 1");
        assertMalformed("line=2 's 1': samples due: 0", "upa-driver 1", "s 1", "end 0");
        assertMalformed("line=3 's -5 2 3': not as described", "upa-driver 1", POINT, "s -5 2 3", "end 1");
        assertMalformed("line=3 's 1 2 3 4': samples due: 3", "upa-driver 1", POINT, "s 1 2 3 4", "end 1");
        assertMalformed("line=2 'fact lonely': not as described", "upa-driver 1", "fact lonely", "end 0");
        assertMalformed("line=3 'fact a b': after the end", "upa-driver 1", "end 0", "fact a b");
    }

    private static void assertMalformed(String message, String... lines) {
        MeasureException e = assertThrows(MeasureException.class, () -> DriverOutput.parse(List.of(lines)));
        assertTrue(e.getMessage().contains(message), e.getMessage());
        assertEquals(1, e.status());
    }
}
