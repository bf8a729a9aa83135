package upa.measure.report;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import upa.measure.stats.Interval;

class UnitsTest {

    @Test
    void sizesInBinaryUnits() {
        assertEquals("8 B", Units.bytes(8));
        assertEquals("4 KiB", Units.bytes(4096));
        assertEquals("1.5 GiB", Units.bytes(1.5 * (1 << 30)));
        assertEquals("2048 TiB", Units.bytes(0x1p51));
    }

    @Test
    void timesInTheLargestFittingUnit() {
        assertEquals("0 ns", Units.time(0));
        assertEquals("83.1 ns", Units.time(83.12));
        assertEquals("1 µs", Units.time(999.9));
        assertEquals("1.24 ms", Units.time(1_240_000));
        assertEquals("3600 s", Units.time(3.6e12));
    }

    @Test
    void ratiosWithThreeDigits() {
        assertEquals("0.00123x", Units.ratio(0.001234));
        assertEquals("0.95x", Units.ratio(0.95));
        assertEquals("20x", Units.ratio(20));
        assertEquals("1235x", Units.ratio(1234.6));
        assertEquals("41.3x (39.8-42.9)", Units.ratio(new Interval(41.3, 39.8, 42.9)));
        assertEquals("41.3x", Units.ratio(Interval.exact(41.3)));
        assertEquals("41.3x", Units.ratio(new Interval(41.3, 41.29, 41.31)), "in these digits it has no width");
        assertEquals("52.4 ns (52 ns - 1.1 µs)", Units.time(new Interval(52.4, 52, 1100)));
        assertEquals("52.4 ns", Units.time(new Interval(52.4, 52.39, 52.41)));
        assertEquals("-0.0123", Units.digits(-0.0123));
    }
}
