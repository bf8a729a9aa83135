package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.Test;
import upa.policy.Place;

class SwapStoreTest {
    private static final String HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority";

    @Test
    void countsWhatItIsTold() throws Exception {
        SwapStore store = SwapStore.of(
                "zram",
                List.of(
                        HEAD,
                        "/dev/zram0                              partition\t1024\t\t24\t\t100",
                        "/swapfile                               file\t\t9999\t\t0\t\t-2",
                        "/dev/zram1                              partition\t512\t\t0\t\t99"));
        assertEquals(new StoreStatistics(0, 0, 1536 << 10, 0, 0, 0, 0), store.statistics());
        store.wentOut(10);
        store.stayed(3);
        store.cameBack(4);
        assertEquals(new StoreStatistics(6, 6 * 4096, 1536 << 10, 10, 4, 3, 0), store.statistics());
        assertEquals(Place.Kind.COMPRESSED, store.kind());
        store.close();
    }

    @Test
    void takesNoContent() throws Exception {
        SwapStore store = SwapStore.of("zram", List.of("/dev/zram0 partition 1024 0 100"));
        try (Arena arena = Arena.ofShared()) {
            PageIo io = new PageIo(arena, 2);
            io.begin(2);
            store.write(io).join();
            assertEquals(PageIo.Result.UNSUITABLE, io.result(1));
            io.begin(2);
            store.read(io).join();
            assertEquals(PageIo.Result.MISSING, io.result(1));
        }
        store.free(new int[0], 0);
        assertEquals(
                "freed twice or never in use: slot=5",
                assertThrows(IllegalArgumentException.class, () -> store.free(new int[] {5}, 1))
                        .getMessage());
    }

    @Test
    void saysWhatIsMissing() {
        assertEquals(
                "store=zram needs swap on zram, and there is none: zramctl --find --size 1G, mkswap and swapon make it",
                message(List.of(HEAD, "/swapfile file 9999 0 -2")));
        assertEquals(
                "store=zram: swap on zram is full, bytes=1048576",
                message(List.of("/dev/zram0 partition 1024 1024 1")));
    }

    private static String message(List<String> swaps) {
        return assertThrows(StoreException.class, () -> SwapStore.of("zram", swaps))
                .getMessage();
    }
}
