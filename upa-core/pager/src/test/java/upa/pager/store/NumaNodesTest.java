package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import upa.policy.Place;

class NumaNodesTest {
    private static final NumaNodes TWO =
            new NumaNodes(List.of(new NumaNodes.Node(0, 1 << 30, "0-1"), new NumaNodes.Node(10, 256 << 20, "")));

    @TempDir
    Path folder;

    private void node(String name, String meminfo, String cpus) throws Exception {
        Files.createDirectory(folder.resolve(name));
        Files.writeString(folder.resolve(name).resolve("meminfo"), meminfo);
        Files.writeString(folder.resolve(name).resolve("cpulist"), cpus);
    }

    @Test
    void readsThoseThatHaveMemory() throws Exception {
        node("node10", "Node 10 MemTotal:         262144 kB\nNode 10 MemFree: 1 kB\n", "\n");
        node("node0", "Node 0 MemTotal:        1048576 kB\n", "0-1\n");
        node("node1", "Node 1 MemTotal:              0 kB\n", "2\n");
        node("power", "Node 7 MemTotal:              1 kB\n", "2\n");
        Files.writeString(folder.resolve("online"), "0-1,10\n");
        assertEquals(TWO, NumaNodes.read(folder));
        assertEquals("0 (1024M, CPUs 0-1), 10 (256M, without CPUs)", TWO.toString());
        assertEquals("none", NumaNodes.read(folder.resolve("missing")).toString());
        assertTrue(NumaNodes.machine().nodes().size() <= 1024);
    }

    @Test
    void pagesComeBackToANodeWithProcessors() {
        assertEquals(0, TWO.nearOf(10).orElseThrow().number());
        assertEquals(10, TWO.nearOf(0).orElseThrow().number());
        NumaNodes three = new NumaNodes(
                List.of(new NumaNodes.Node(0, 1, ""), new NumaNodes.Node(1, 1, "0"), new NumaNodes.Node(2, 1, "1")));
        assertEquals(1, three.nearOf(2).orElseThrow().number());
        assertEquals(2, three.nearOf(1).orElseThrow().number());
        assertTrue(new NumaNodes(TWO.nodes().subList(0, 1)).nearOf(0).isEmpty());
    }

    @Test
    void aNodeIsTheFirstOfAChain() throws Exception {
        assertEquals(
                List.of(
                        new StoreSpec.Element("numa", StoreSpec.Kind.NUMA, "10", 64 << 20),
                        new StoreSpec.Element("lz4", StoreSpec.Kind.LZ4, "", 1 << 20)),
                StoreSpec.parse("numa:10:64M,lz4:1M", () -> TWO).stores());
        assertEquals(
                256 << 20,
                StoreSpec.parse("numa:10", () -> TWO).stores().getFirst().bytes());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "numa|store=numa needs the number of a node: numa:NODE[:SIZE]",
                "numa:|store=numa: needs the number of a node: numa:NODE[:SIZE]",
                "numa:-1|store=numa:-1 needs the number of a node: numa:NODE[:SIZE]",
                "numa:99999999999|store=numa:99999999999 needs the number of a node: numa:NODE[:SIZE]",
                "numa:1|store=numa:1: there is no node=1 with memory; nodes with memory: 0 (1024M, CPUs 0-1), "
                        + "10 (256M, without CPUs)",
                "numa:10:x|store=numa:10:x has size=x, needs one as 256M or 4G",
                "numa:10:4K|store=numa:10:4K needs a size from 1M to what node=10 has, bytes=268435456",
                "numa:10:257M|store=numa:10:257M needs a size from 1M to what node=10 has, bytes=268435456",
                "lz4,numa:10|store=lz4,numa:10 has numa behind another store: pages go to a node from memory, "
                        + "so one comes first, and no other",
                "numa:10,numa:10|store=numa:10,numa:10 has numa behind another store: pages go to a node from memory, "
                        + "so one comes first, and no other",
                "lz4+numa:10|store=lz4+numa:10 has memory behind memory: write through it to a file or redis",
                "numa:10,zram|store=zram goes with no other: what is there only the kernel can move",
            })
    void saysWhatIsWrong(String text, String message) {
        assertEquals(
                message,
                assertThrows(StoreException.class, () -> StoreSpec.parse(text, () -> TWO))
                        .getMessage());
    }

    @Test
    void theOnlyNodeIsNotFar() {
        NumaNodes one = new NumaNodes(TWO.nodes().subList(0, 1));
        assertEquals(
                "store=numa:0: no other node has memory that would be nearer; nodes with memory: 0 (1024M, CPUs 0-1)",
                assertThrows(StoreException.class, () -> StoreSpec.parse("numa:0", () -> one))
                        .getMessage());
        assertEquals(
                "store=numa:1: there is no node=1 with memory; nodes with memory: none",
                assertThrows(StoreException.class, () -> StoreSpec.parse("numa:1", () -> new NumaNodes(List.of())))
                        .getMessage());
    }

    @Test
    void aNodeCountsAndTakesNoContent() {
        NodeStore store = new NodeStore("numa", 1, 0, 1 << 20);
        store.wentOut(10);
        store.stayed(3);
        store.cameBack(4);
        assertEquals(new StoreStatistics(6, 6 * 4096, 1 << 20, 10, 4, 3, 0), store.statistics());
        store.holds(5);
        assertEquals(new StoreStatistics(5, 5 * 4096, 1 << 20, 10, 4, 3, 0), store.statistics());
        assertEquals(Place.Kind.NODE, store.kind());
        try (Arena arena = Arena.ofShared()) {
            PageIo io = new PageIo(arena, 1);
            io.begin(1);
            assertEquals(PageIo.Result.UNSUITABLE, store.write(io).join().result(0));
        }
        assertEquals(
                "node=1 is near=1",
                assertThrows(IllegalArgumentException.class, () -> new NodeStore("numa", 1, 1, 1 << 20))
                        .getMessage());
    }
}
