package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisCluster;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.params.MigrateParams;
import redis.clients.jedis.util.JedisClusterCRC16;

/** A cluster of three nodes, each with a replica. */
class RedisClusterStoreTest extends StoreContract {
    @TempDir
    static Path folder;

    private static final List<RedisServer> NODES = new ArrayList<>();
    private final Map<Store, byte[]> ids = new HashMap<>();

    @BeforeAll
    static void start() throws Exception {
        assumeTrue(RedisServer.isThere(), "needs redis-server");
        List<String> create = new ArrayList<>(List.of("redis-cli", "--cluster", "create"));
        for (int i = 0; i < 6; i++) {
            RedisServer node = RedisServer.start(
                    Files.createDirectory(folder.resolve("node" + i)),
                    "--cluster-enabled",
                    "yes",
                    "--cluster-node-timeout",
                    "1000",
                    "--cluster-replica-validity-factor",
                    "0");
            NODES.add(node);
            create.add("127.0.0.1:" + node.port);
        }
        create.addAll(List.of("--cluster-replicas", "1", "--cluster-yes"));
        Path log = folder.resolve("create.log");
        int status = new ProcessBuilder(create)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start()
                .waitFor();
        assertEquals(0, status, Files.readString(log));
        for (RedisServer node : NODES) {
            await(
                    "cluster",
                    () -> node.ask("CLUSTER", "INFO").startsWith("$")
                            && !node.ask("GET", "x").startsWith("-CLUSTERDOWN"));
        }
    }

    @AfterAll
    static void stop() throws Exception {
        for (RedisServer node : NODES) {
            node.close();
        }
        NODES.clear();
    }

    private Store open(byte[] id, int pages) throws StoreException {
        String url = "redis-cluster://127.0.0.1:" + NODES.get(0).port + ";127.0.0.1:" + NODES.get(1).port
                + "?timeout=2s&limit="
                + Math.max(1 << 20, pages * 4200L);
        Store store = keep(RedisStore.open("redis", url, id));
        ids.put(store, id);
        return store;
    }

    @Override
    Store open(int pages) throws StoreException {
        return open(RedisStore.newId(), pages);
    }

    @Override
    Store reopen(Store closed) throws StoreException {
        return open(ids.get(closed), 3000);
    }

    private byte[] key(Store store, int slot) {
        return ByteBuffer.allocate(16)
                .put("upa:".getBytes(StandardCharsets.US_ASCII))
                .put(ids.get(store))
                .putInt(slot)
                .array();
    }

    private static JedisCluster client() {
        return new JedisCluster(Set.of(new HostAndPort("127.0.0.1", NODES.get(0).port)));
    }

    @Override
    void damage(Store store, int slot) {
        try (JedisCluster jedis = client()) {
            byte[] value = jedis.get(key(store, slot));
            value[1000] = (byte) ~value[1000];
            jedis.set(key(store, slot), value);
        }
    }

    @Override
    void remove(Store store, int slot) {
        try (JedisCluster jedis = client()) {
            assertEquals(1, jedis.del(key(store, slot)));
        }
    }

    /** A node dies and its replica takes over: its pages come back from there. */
    @Test
    void aReplicaTakesOver() throws Exception {
        Store store = open(600);
        PageIo io = write(store, 0, 256);
        long[] kept = new long[256];
        for (int i = 0; i < 256; i++) {
            assertEquals(PageIo.Result.OK, io.result(i));
            kept[i] = (long) io.slot(i) << 32 | io.check(i);
        }
        RedisServer victim = NODES.stream()
                .filter(RedisClusterStoreTest::isMaster)
                .findFirst()
                .orElseThrow();
        await("replication", () -> victim.ask("WAIT", "1", "1000").equals(":1"));
        victim.kill();
        await("the replica", () -> {
            PageIo back = read(store, kept);
            for (int i = 0; i < 256; i++) {
                if (back.result(i) != PageIo.Result.OK) {
                    assertEquals(PageIo.Result.UNREACHABLE, back.result(i), "i=" + i);
                    return false;
                }
                assertPage(back.page(i), i);
            }
            return true;
        });
        await("writing", () -> write(store, 1000, 1001).result(0) == PageIo.Result.OK);
        victim.start();
    }

    private static boolean isMaster(RedisServer node) {
        try {
            return node.ask("SET", "probe-" + node.port, "1").matches("\\+OK|-MOVED.*") && node.keys() > 50;
        } catch (IOException e) {
            return false;
        }
    }

    /** A slot of the cluster moves to another node: first its keys are there (ASK), then all know (MOVED). */
    @Test
    void pagesAreFoundWhereTheirSlotHasMoved() throws Exception {
        Store store = open(600);
        PageIo io = write(store, 0, 64);
        int[] slots = new int[64];
        int[] checks = new int[64];
        for (int i = 0; i < 64; i++) {
            slots[i] = io.slot(i);
            checks[i] = io.check(i);
        }
        int moved = JedisClusterCRC16.getSlot(key(store, slots[7]));
        List<RedisServer> masters = new ArrayList<>();
        RedisServer from = null;
        for (RedisServer node : NODES) {
            try (Jedis jedis = new Jedis("127.0.0.1", node.port)) {
                if (jedis.role().getFirst().equals("master")) {
                    masters.add(node);
                    from = jedis.clusterCountKeysInSlot(moved) > 0 ? node : from;
                }
            } catch (JedisConnectionException e) {
                // Another test has killed it.
                continue;
            }
        }
        RedisServer source = from;
        RedisServer target =
                masters.stream().filter(n -> n != source).findFirst().orElseThrow();
        try (Jedis here = new Jedis("127.0.0.1", source.port);
                Jedis there = new Jedis("127.0.0.1", target.port)) {
            there.clusterSetSlotImporting(moved, here.clusterMyId());
            here.clusterSetSlotMigrating(moved, there.clusterMyId());
            here.migrate("127.0.0.1", target.port, 5000, MigrateParams.migrateParams(), key(store, slots[7]));
            readAll(store, slots, checks);
            there.clusterSetSlotNode(moved, there.clusterMyId());
            here.clusterSetSlotNode(moved, there.clusterMyId());
            readAll(store, slots, checks);
        }
        store.free(slots, slots.length);
    }

    private void readAll(Store store, int[] slots, int[] checks) {
        PageIo io = new PageIo(Arena.ofAuto(), slots.length);
        io.begin(slots.length);
        for (int i = 0; i < slots.length; i++) {
            io.slot(i, slots[i]);
            io.check(i, checks[i]);
        }
        store.read(io).join();
        for (int i = 0; i < slots.length; i++) {
            assertEquals(PageIo.Result.OK, io.result(i), "page=" + i);
        }
    }

    @Test
    void everyNodeHoldsSome() throws Exception {
        Store store = open(600);
        write(store, 0, 512);
        long nodes = 0;
        for (RedisServer node : NODES) {
            nodes += node.keys() > 100 ? 1 : 0;
        }
        assertTrue(nodes >= 3, "nodes=" + nodes);
    }
}
