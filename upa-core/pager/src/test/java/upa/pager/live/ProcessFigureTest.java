package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import upa.pager.store.StoreStatistics;

class ProcessFigureTest {
    @Test
    void whatIsSaidIsWhatIsRead() {
        ProcessFigure.All all =
                PagerReport.parse("BOUND 5\nLOST 0\nstore lz4 1 2 3 4 5 6 7\nstore file 7 6 5 4 3 2 1\n");
        assertEquals(Map.of(ProcessFigure.BOUND, 5L, ProcessFigure.LOST, 0L), all.numbers());
        StoreStatistics near = new StoreStatistics(1, 2, 3, 4, 5, 6, 7);
        assertEquals(
                List.of(
                        new ProcessFigure.OfStore("lz4", near),
                        new ProcessFigure.OfStore("file", new StoreStatistics(7, 6, 5, 4, 3, 2, 1))),
                all.stores());
        assertEquals(
                near,
                StoreStatistics.of(near.numbers().stream().mapToLong(n -> n).toArray()));
    }

    @Test
    void aLineIsForPeople() {
        assertEquals("bound, pages                                             4096\n", ProcessFigure.BOUND.line(4096));
    }
}
