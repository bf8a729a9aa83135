package upa.bench.paging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class PageRankTest {
    private final PageRank pageRank = new PageRank();

    private static Way way(String id) {
        return Way.all("/f").stream().filter(w -> w.id().equals(id)).findFirst().orElseThrow();
    }

    private static String said(int iterations, String checksum) {
        return "vertices 2097152 edges 62915505 iterations " + iterations
                + " ns_per_iteration 1500 sum 1.000000 checksum " + checksum + " build_ns 716800\n";
    }

    @Test
    void aRunIsARow() throws Exception {
        PagingRow row = pageRank.row(said(5, "63d2b9f61c7f7c5d"), way("swap"), 2, 3, 256);
        long bytes = (256L << 20) + 12 * (1 << 21);
        assertEquals(new PagingRow("swap", "pagerank", 2, 3, bytes, 168L << 20, 5, 1500, 10), row);
        assertEquals(
                bytes,
                pageRank.row(said(5, "63d2b9f61c7f7c5d"), way("all"), 2, 3, 256).boundBytes());
    }

    @Test
    void ranksAreTheSameInAllRuns() throws Exception {
        pageRank.row(said(5, "63d2b9f61c7f7c5d"), way("all"), 1, 0, 256);
        pageRank.row(said(4, "0000b9f61c7f7c5d"), way("upa-file"), 1, 0, 256);
        String why = assertThrows(
                        PageRank.WrongException.class,
                        () -> pageRank.row(said(5, "63d2b9f61c7f7c5e"), way("upa-csr"), 1, 0, 256))
                .getMessage();
        assertEquals(
                "checksum=63d2b9f61c7f7c5e after iterations=5 is not that of the runs before, 63d2b9f61c7f7c5d", why);
        assertThrows(PageRank.WrongException.class, () -> pageRank.row("oops", way("swap"), 1, 0, 256));
    }

    @Test
    void theCommandAndWhoTakesPart() {
        var size = new PagingExperiment.Size(List.of("pagerank"), 64, 1, 10, 5, 3, 9);
        assertEquals(
                List.of("/b/upa-pagerank", "64", "5", "3", "2", "9"),
                PageRank.command(Path.of("/b/upa-pagerank"), size, 5, 2));
        assertTrue(way("upa-csr").isOf("pagerank"));
        assertFalse(way("upa-csr").isOf("random"));
        assertFalse(way("upa-lz4").isOf("pagerank"));
        assertTrue(way("swap").isOf("random"));
    }
}
