package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;

/** A single server, with pages as they are. */
class RedisStoreTest extends StoreContract {
    @TempDir
    static Path folder;

    private static RedisServer server;
    private final Map<Store, byte[]> ids = new HashMap<>();
    private final Map<Store, String> urls = new HashMap<>();

    @BeforeAll
    static void start() throws Exception {
        assumeTrue(RedisServer.isThere(), "needs redis-server");
        server = RedisServer.start(folder);
    }

    @AfterAll
    static void stop() throws Exception {
        if (server != null) {
            server.close();
        }
    }

    String url(String options) {
        return "redis://127.0.0.1:" + server.port + "?" + options;
    }

    private Store open(String url, byte[] id) throws StoreException {
        Store store = keep(RedisStore.open("redis", url, id));
        ids.put(store, id);
        urls.put(store, url);
        return store;
    }

    @Override
    Store open(int pages) throws StoreException {
        return open(url("limit=" + Math.max(1 << 20, pages * 4200L)), RedisStore.newId());
    }

    @Override
    Store reopen(Store closed) throws StoreException {
        return open(urls.get(closed), ids.get(closed));
    }

    final byte[] key(Store store, int slot) {
        return ByteBuffer.allocate(16)
                .put("upa:".getBytes(StandardCharsets.US_ASCII))
                .put(ids.get(store))
                .putInt(slot)
                .array();
    }

    static Jedis client() {
        return new Jedis(new HostAndPort("127.0.0.1", server.port));
    }

    @Override
    void damage(Store store, int slot) {
        try (Jedis jedis = client()) {
            byte[] value = jedis.get(key(store, slot));
            value[1000] = (byte) ~value[1000];
            jedis.set(key(store, slot), value);
        }
    }

    @Override
    void remove(Store store, int slot) {
        try (Jedis jedis = client()) {
            assertEquals(1, jedis.del(key(store, slot)));
        }
    }

    @Test
    void aValueOfAnotherLengthIsDamage() throws Exception {
        Store store = open(10);
        long kept = writeOne(store, 1);
        try (Jedis jedis = client()) {
            jedis.append(key(store, (int) (kept >>> 32)), new byte[1]);
        }
        assertEquals(PageIo.Result.DAMAGED, read(store, kept).result(0));
    }

    @Test
    void pagesAreDeletedWhenTheyAreFreedAndWhenTheirClientIsGone() throws Exception {
        long before = server.keys();
        Store store = open(100);
        PageIo io = write(store, 0, 50);
        assertEquals(before + 50, server.keys());
        int[] some = {io.slot(0), io.slot(7), io.slot(49)};
        store.free(some, 3);
        await("deletion", () -> server.keys() == before + 47);
        store.discard();
        assertEquals(before, server.keys());
    }

    @Test
    void pagesExpireUnlessTheirStoreIsOpen() throws Exception {
        byte[] id = RedisStore.newId();
        Store store = RedisStore.open("redis", url("ttl=2s"), id);
        long kept = writeOne(store, 1);
        Thread.sleep(4_000);
        assertEquals(PageIo.Result.OK, read(store, kept).result(0), "refreshed while the store is open");
        store.close();
        Store successor = open(url("ttl=2s"), id);
        successor.adopt(new int[] {(int) (kept >>> 32)}, 1);
        assertEquals(PageIo.Result.OK, read(successor, kept).result(0));
        successor.close();
        await("expiry", () -> {
            try (Jedis jedis = client()) {
                ids.put(store, id);
                return !jedis.exists(key(store, (int) (kept >>> 32)));
            }
        });
    }

    /** A server of its own, which is then stopped, killed, or started anew. */
    private interface WithServer {
        void run(RedisServer own, Store store) throws Exception;
    }

    private void withServer(WithServer test, String... arguments) throws Exception {
        try (RedisServer own = RedisServer.start(folder, arguments);
                Store store = RedisStore.open(
                        "redis", "redis://127.0.0.1:" + own.port + "?timeout=300ms", RedisStore.newId())) {
            test.run(own, store);
        }
    }

    @Test
    void aServerThatHangsIsUnreachableAndServesAgainWhenItGoesOn() throws Exception {
        withServer((own, store) -> {
            PageIo io = write(store, 0, 64);
            long kept = (long) io.slot(3) << 32 | io.check(3);
            own.signal("STOP");
            long start = System.nanoTime();
            assertEquals(PageIo.Result.UNREACHABLE, read(store, kept, kept).result(1));
            assertEquals(PageIo.Result.UNREACHABLE, write(store, 100, 164).result(63));
            assertTrue(System.nanoTime() - start < 20_000_000_000L, "a bounded number of time-outs");
            assertEquals(64, store.statistics().pages());
            own.signal("CONT");
            await("service", () -> read(store, kept).result(0) == PageIo.Result.OK);
            assertPage(read(store, kept).page(0), 3);
            assertEquals(PageIo.Result.OK, write(store, 200, 201).result(0));
        });
    }

    @Test
    void aServerThatIsKilledAndStartedAnewIsUsedAgain() throws Exception {
        withServer((own, store) -> {
            long kept = writeOne(store, 1);
            own.kill();
            assertEquals(PageIo.Result.UNREACHABLE, read(store, kept).result(0));
            assertEquals(PageIo.Result.UNREACHABLE, write(store, 5, 70).result(64));
            own.start();
            await("connection", () -> read(store, kept).result(0) == PageIo.Result.MISSING);
            long again = writeOne(store, 2);
            assertEquals(PageIo.Result.OK, read(store, again).result(0));
        });
    }

    @Test
    void connectionsThatTheServerClosedAreMadeAnew() throws Exception {
        withServer((own, store) -> {
            long kept = writeOne(store, 1);
            for (int i = 0; i < 5; i++) {
                own.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
                assertEquals(PageIo.Result.OK, read(store, kept).result(0), "round=" + i);
                own.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
                assertEquals(PageIo.Result.OK, write(store, 10 + i, 11 + i).result(0), "round=" + i);
            }
        });
    }

    @Test
    void aServerWithoutMemoryIsFull() throws Exception {
        withServer(
                (own, store) -> {
                    int version = 0;
                    PageIo io;
                    do {
                        io = write(store, version, version + 64);
                        version += 64;
                    } while (io.result(63) == PageIo.Result.OK && version < 100_000);
                    assertEquals(PageIo.Result.FULL, io.result(63));
                    long pages = store.statistics().pages();
                    assertTrue(pages > 100 && pages < 5000, "pages=" + pages);
                    assertTrue(store.statistics().refused() > 0);
                    await("no leak of what was refused", () -> own.keys() == pages);
                },
                "--maxmemory",
                "8mb",
                "--maxmemory-policy",
                "noeviction");
    }

    @Test
    void aServerThatThrowsKeysAwayIsNotUsed() throws Exception {
        try (RedisServer own = RedisServer.start(folder, "--maxmemory", "8mb", "--maxmemory-policy", "volatile-lru")) {
            assertEquals(
                    "store at 127.0.0.1:" + own.port
                            + " throws keys away when it is full: set maxmemory-policy to "
                            + "noeviction, it is policy=volatile-lru",
                    assertThrows(
                                    StoreException.class,
                                    () -> RedisStore.open("redis", "redis://127.0.0.1:" + own.port, RedisStore.newId()))
                            .getMessage());
        }
    }

    private static String refusal(String url) {
        return assertThrows(StoreException.class, () -> RedisStore.open("redis", url, RedisStore.newId()))
                .getMessage();
    }

    /** Such a server answers, and pages would stay in memory for ever. */
    @Test
    void aServerThatTakesNoPagesIsNotUsed() throws Exception {
        try (RedisServer own = RedisServer.start(folder)) {
            String where = "127.0.0.1:" + own.port;
            String before = "cannot use store=redis at " + where + ": ";
            own.ask("ACL", "SETUSER", "looker", "on", ">pw", "~*", "+@all", "-set");
            String message = refusal("redis://looker:pw@" + where);
            assertTrue(message.startsWith(before + "NOPERM "), message);
            own.ask("ACL", "SETUSER", "looker", "+set", "-del");
            message = refusal("redis://looker:pw@" + where);
            assertTrue(message.startsWith(before + "NOPERM "), message);
            message = refusal("redis://" + where + "/12345");
            assertTrue(message.startsWith(before + "ERR "), message);
            own.ask("REPLICAOF", "127.0.0.1", Integer.toString(server.port));
            await("a replica", () -> refusal("redis://" + where).startsWith(before + "READONLY "));
            own.ask("REPLICAOF", "NO", "ONE");
            // Who may not delete leaves what then expires.
            own.ask("FLUSHALL");
            try (Store store = RedisStore.open("redis", "redis://" + where, RedisStore.newId())) {
                assertNotEquals(-1, writeOne(store, 1));
                assertEquals(1, own.keys(), "nothing is left of what was tried");
            }
        }
    }

    @Test
    void aServerAndAClusterAreNotTakenForEachOther() throws Exception {
        String single = "127.0.0.1:" + server.port;
        String message = refusal("redis-cluster://" + single);
        assertTrue(message.startsWith("cannot use store=redis at " + single + ": "), message);
        try (RedisServer own = RedisServer.start(folder, "--cluster-enabled", "yes")) {
            String where = "127.0.0.1:" + own.port;
            assertEquals(
                    "store at " + where + " is a node of a cluster: write redis-cluster://" + where,
                    refusal("redis://" + where));
        }
    }

    /** It may have room again; what is there must be readable meanwhile. */
    @Test
    void aServerThatIsFullIsUsedAllTheSame() throws Exception {
        try (RedisServer own = RedisServer.start(folder)) {
            own.ask("CONFIG", "SET", "maxmemory", "1");
            try (Store store = RedisStore.open("redis", "redis://127.0.0.1:" + own.port, RedisStore.newId())) {
                assertEquals(PageIo.Result.FULL, write(store, 0, 1).result(0));
                own.ask("CONFIG", "SET", "maxmemory", "0");
                assertNotEquals(-1, writeOne(store, 1));
            }
        }
    }

    @Test
    void aPasswordIsNeededAndNeverShown() throws Exception {
        try (RedisServer own = RedisServer.start(folder, "--requirepass", "s3cret")) {
            String host = "127.0.0.1:" + own.port;
            for (String url : new String[] {"redis://" + host, "redis://:wrong@" + host}) {
                String message = assertThrows(
                                StoreException.class, () -> RedisStore.open("redis", url, RedisStore.newId()))
                        .getMessage();
                assertTrue(message.startsWith("cannot use store=redis at " + host + ": "), message);
                assertFalse(message.contains("wrong@"), message);
            }
            Path file = Files.writeString(folder.resolve("password"), "s3cret\n");
            for (String url : new String[] {
                "redis://:s3cret@" + host,
                "redis://default:s3cret@" + host,
                "redis://" + host + "?password-file=" + file
            }) {
                try (Store store = RedisStore.open("redis", url, RedisStore.newId())) {
                    assertNotEquals(-1, writeOne(store, 1));
                }
            }
        }
    }

    @Test
    void nobodyThereIsSaidInOneLine() throws Exception {
        int port = RedisServer.freePort();
        String message = assertThrows(
                        StoreException.class,
                        () -> RedisStore.open("redis", "redis://127.0.0.1:" + port, RedisStore.newId()))
                .getMessage();
        assertTrue(message.startsWith("cannot use store=redis at 127.0.0.1:" + port + ": "), message);
        assertFalse(message.contains("\n"), message);
    }

    /** TLS, with a certificate that only the option trusts. */
    @Test
    void tlsTrustsTheCertificatesNamed() throws Exception {
        Path key = folder.resolve("key.pem");
        Path certificate = folder.resolve("cert.pem");
        Process openssl = new ProcessBuilder(
                        "openssl",
                        "req",
                        "-x509",
                        "-newkey",
                        "ec",
                        "-pkeyopt",
                        "ec_paramgen_curve:prime256v1",
                        "-nodes",
                        "-keyout",
                        key.toString(),
                        "-out",
                        certificate.toString(),
                        "-days",
                        "2",
                        "-subj",
                        "/CN=localhost",
                        "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1")
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("openssl.log").toFile())
                .start();
        assumeTrue(openssl.waitFor() == 0, "needs openssl");
        int port = RedisServer.freePort();
        try (RedisServer own = RedisServer.start(
                folder,
                port,
                "--port",
                "0",
                "--tls-port",
                Integer.toString(port),
                "--tls-cert-file",
                certificate.toString(),
                "--tls-key-file",
                key.toString(),
                "--tls-ca-cert-file",
                certificate.toString(),
                "--tls-auth-clients",
                "no")) {
            String url = "rediss://localhost:" + own.port;
            assertThrows(StoreException.class, () -> RedisStore.open("redis", url, RedisStore.newId()));
            assertThrows(
                    StoreException.class,
                    () -> RedisStore.open("redis", url.replace("rediss", "redis"), RedisStore.newId()));
            try (Store store = RedisStore.open("redis", url + "?ca=" + certificate, RedisStore.newId())) {
                PageIo io = write(store, 0, 100);
                assertPage(read(store, (long) io.slot(99) << 32 | io.check(99)).page(0), 99);
            }
        }
    }
}
