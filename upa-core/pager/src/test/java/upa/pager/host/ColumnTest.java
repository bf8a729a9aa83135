package upa.pager.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ColumnTest {
    @ParameterizedTest
    @CsvSource({"1,255", "2,65535", "4,-1"})
    void keepsItsBytes(int bytes, int allOnes) {
        Column column = new Column(1030, bytes);
        for (int page : new int[] {0, 511, 512, 1029}) {
            assertEquals(0, column.get(page));
            column.set(page, page + 1);
        }
        for (int page : new int[] {0, 511, 512, 1029}) {
            assertEquals((page + 1) & (bytes == 1 ? 0xff : -1), column.get(page));
        }
        column.set(513, -1);
        assertEquals(allOnes, column.get(513));
        assertEquals(bytes == 1 ? 1 : 513, column.get(512));
        assertEquals(0, column.get(514));
        column.set(513, 0);
        assertEquals(0, column.get(513));
    }

    @Test
    void outOfRangeIsZero() {
        Column column = new Column(10, 4);
        column.set(-1, 5);
        column.set(10, 5);
        assertEquals(0, column.get(-1));
        assertEquals(0, column.get(10));
        assertEquals(
                "a column has 1, 2 or 4 bytes a page, got bytes=3",
                assertThrows(IllegalArgumentException.class, () -> new Column(10, 3))
                        .getMessage());
    }
}
