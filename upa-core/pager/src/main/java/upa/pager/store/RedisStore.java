package upa.pager.store;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.commons.pool2.impl.GenericObjectPoolConfig;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.Connection;
import redis.clients.jedis.ConnectionPoolConfig;
import redis.clients.jedis.JedisCluster;
import redis.clients.jedis.JedisPooled;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.Response;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.params.SetParams;
import upa.policy.Place;

/**
 * Memory of a Redis or Valkey server, or of a cluster of them. A key is {@code upa:}, 8 bytes that name the client of
 * the store, and the slot, so that clients do not meet; a value is a page, sealed if there is a key to encrypt with.
 * What a client leaves behind expires.
 *
 * <p>A page alone is asked for by who wants it ({@link QuickReader}). A batch is one pipeline. A connection that the
 * server has closed meanwhile is made anew, once; what then fails is {@link PageIo.Result#UNREACHABLE} and can be
 * tried again. In a cluster, a page whose node has changed is asked for again by itself, which also learns where the
 * slots of the cluster are now.
 */
public final class RedisStore implements Store {
    /** Bytes that name a client. */
    public static final int ID_BYTES = 8;

    private static final byte[] PREFIX = "upa:".getBytes(StandardCharsets.US_ASCII);
    private static final int CHUNK = 256;
    private static final long PROBE_MILLIS = 10_000;

    private final String name;
    private final byte[] id;
    private final long limitBytes;
    private final int valueBytes;
    private final SetParams expiry;
    private final Duration ttl;
    private final Sealing sealing;
    private final UnifiedJedis jedis;
    private final Workers workers;
    private final QuickReader quick;
    private final Thread refresher;
    private final BitSet used = new BitSet();
    private int pages;
    private int next;
    private final AtomicLong written = new AtomicLong();
    private final AtomicLong read = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();

    private RedisStore(String name, RedisOptions options, byte[] id, UnifiedJedis jedis) {
        this.name = name;
        this.id = id.clone();
        this.jedis = jedis;
        ttl = options.ttl();
        expiry = SetParams.setParams().px(ttl.toMillis());
        sealing = options.key() == null ? null : new Sealing(options.key());
        limitBytes = options.limit();
        valueBytes = PageIo.PAGE_BYTES + (sealing == null ? 0 : Sealing.OVERHEAD_BYTES);
        workers = new Workers(name, 1, 1);
        // In a cluster, the client library knows where a page is.
        quick = options.cluster()
                ? null
                : new QuickReader(options.hosts().getFirst(), options.config(), workers::later);
        refresher = Thread.ofPlatform().daemon().name(name + " refresher").start(this::refreshForEver);
    }

    /**
     * Makes a name for a client of stores, which no other has.
     *
     * @return 8 random bytes
     */
    public static byte[] newId() {
        byte[] id = new byte[ID_BYTES];
        new SecureRandom().nextBytes(id);
        return id;
    }

    /**
     * Connects to a server or cluster.
     *
     * @param name for messages
     * @param url  where it is, and how it is used
     * @param id   names the client; that of a former store to go on with its pages
     * @return a store that is empty until slots are adopted
     * @throws StoreException if the URL is wrong, nobody answers, or pages would not be safe there
     */
    public static RedisStore open(String name, String url, byte[] id) throws StoreException {
        RedisOptions options = RedisOptions.parse(url);
        String where =
                String.join(";", options.hosts().stream().map(Object::toString).toList());
        UnifiedJedis jedis = null;
        try {
            jedis = connect(options);
            checkKeeps(jedis, options, where);
            checkTakes(jedis, id, where);
            RedisStore store = new RedisStore(name, options, id, jedis);
            jedis = null;
            return store;
        } catch (JedisException e) {
            Throwable cause = e;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            throw new StoreException("cannot use store=" + name + " at " + where + ": " + cause.getMessage(), e);
        } finally {
            if (jedis != null) {
                jedis.close();
            }
        }
    }

    private static UnifiedJedis connect(RedisOptions options) {
        if (options.cluster()) {
            GenericObjectPoolConfig<Connection> pool = new ConnectionPoolConfig();
            return new JedisCluster(new HashSet<>(options.hosts()), options.config(), 3, pool);
        }
        return new JedisPooled(options.hosts().getFirst(), options.config());
    }

    /** A server that evicts keys when it is full would lose pages. */
    private static void checkKeeps(UnifiedJedis jedis, RedisOptions options, String where) throws StoreException {
        List<String> infos = new ArrayList<>();
        if (jedis instanceof JedisCluster cluster) {
            for (var pool : cluster.getClusterNodes().values()) {
                try (Connection connection = pool.getResource()) {
                    connection.sendCommand(Protocol.Command.INFO, "memory");
                    infos.add(connection.getBulkReply());
                }
            }
        } else {
            infos.add(jedis.info("memory"));
        }
        for (String info : infos) {
            String most = field(info, "maxmemory");
            String policy = field(info, "maxmemory_policy");
            if (!most.equals("0") && !policy.equals("noeviction")) {
                throw new StoreException("store at " + where
                        + " throws keys away when it is full: set maxmemory-policy to "
                        + "noeviction, it is policy=" + policy);
            }
        }
    }

    /** A node of a cluster, a replica, or a server where the user has no rights answers, and never takes a page. */
    private static void checkTakes(UnifiedJedis jedis, byte[] id, String where) throws StoreException {
        if (!(jedis instanceof JedisCluster)
                && field(jedis.info("cluster"), "cluster_enabled").equals("1")) {
            throw new StoreException("store at " + where + " is a node of a cluster: write redis-cluster://" + where);
        }
        byte[] key = ByteBuffer.allocate(PREFIX.length + ID_BYTES)
                .put(PREFIX)
                .put(id)
                .array();
        try {
            jedis.set(key, key, SetParams.setParams().px(PROBE_MILLIS));
            jedis.get(key);
            jedis.pexpire(key, PROBE_MILLIS);
            jedis.del(key);
        } catch (JedisDataException e) {
            // One that is full may have room again.
            if (failure(e) != PageIo.Result.FULL) {
                throw e;
            }
        }
    }

    private static String field(String info, String key) {
        return info.lines()
                .filter(l -> l.startsWith(key + ":"))
                .map(l -> l.substring(key.length() + 1).strip())
                .findFirst()
                .orElse("0");
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Place.Kind kind() {
        return Place.Kind.REMOTE;
    }

    private byte[] key(int slot) {
        return ByteBuffer.allocate(PREFIX.length + ID_BYTES + 4)
                .put(PREFIX)
                .put(id)
                .putInt(slot)
                .array();
    }

    /** A slot that has not been used for long: what of an earlier use is still under way cannot meet it. */
    private synchronized int allocate() {
        if ((pages + 1L) * valueBytes > limitBytes) {
            return -1;
        }
        int slot = used.nextClearBit(next);
        if (slot >= MAX_SLOTS) {
            slot = used.nextClearBit(0);
        }
        used.set(slot);
        pages++;
        next = slot + 1 == MAX_SLOTS ? 0 : slot + 1;
        return slot;
    }

    private synchronized void release(int slot) {
        if (!used.get(slot)) {
            throw new IllegalArgumentException("freed twice or never in use: slot=" + slot);
        }
        used.clear(slot);
        pages--;
    }

    private synchronized boolean isUsed(int slot) {
        return slot >= 0 && used.get(slot);
    }

    private byte[] content(PageIo io, int i, byte[] key) {
        byte[] page = new byte[PageIo.PAGE_BYTES];
        MemorySegment.copy(io.data(), ValueLayout.JAVA_BYTE, (long) i * PageIo.PAGE_BYTES, page, 0, PageIo.PAGE_BYTES);
        return sealing == null ? page : sealing.seal(page, key);
    }

    @Override
    public CompletableFuture<PageIo> write(PageIo io) {
        return workers.write(io, this::writeNow);
    }

    private void writeNow(PageIo io) {
        List<Integer> indices = new ArrayList<>();
        for (int i = 0; i < io.count(); i++) {
            int slot = allocate();
            if (slot < 0) {
                io.result(i, PageIo.Result.FULL);
            } else {
                io.slot(i, slot);
                indices.add(i);
            }
        }
        pipeline(
                io,
                indices,
                (pipeline, i) -> {
                    byte[] key = key(io.slot(i));
                    return pipeline.set(key, content(io, i, key), expiry);
                },
                i -> {
                    byte[] key = key(io.slot(i));
                    return jedis.set(key, content(io, i, key), expiry);
                },
                (i, answer) -> io.result(i, PageIo.Result.OK));
        List<Integer> lost = new ArrayList<>();
        for (int i = 0; i < io.count(); i++) {
            (io.result(i) == PageIo.Result.OK ? written : refused).incrementAndGet();
            if (io.result(i) != PageIo.Result.OK && indices.contains(i)) {
                lost.add(io.slot(i));
            }
        }
        free(lost.stream().mapToInt(Integer::intValue).toArray(), lost.size());
    }

    /** A page alone is one that a thread waits for: it is asked for at once, if the server answers so. */
    @Override
    public CompletableFuture<PageIo> read(PageIo io) {
        if (quick != null && io.count() == 1 && isUsed(io.slot(0)) && quick.ask(key(io.slot(0)), v -> take(io, 0, v))) {
            (io.result(0) == PageIo.Result.OK ? read : failed).incrementAndGet();
            return CompletableFuture.completedFuture(io);
        }
        return workers.read(io, this::readNow);
    }

    private void readNow(PageIo io) {
        List<Integer> indices = new ArrayList<>();
        for (int i = 0; i < io.count(); i++) {
            if (isUsed(io.slot(i))) {
                indices.add(i);
            } else {
                io.result(i, PageIo.Result.MISSING);
            }
        }
        pipeline(
                io,
                indices,
                (pipeline, i) -> pipeline.get(key(io.slot(i))),
                i -> jedis.get(key(io.slot(i))),
                (i, answer) -> take(io, i, answer));
        for (int i = 0; i < io.count(); i++) {
            (io.result(i) == PageIo.Result.OK ? read : failed).incrementAndGet();
        }
    }

    private void take(PageIo io, int i, byte[] value) {
        if (value == null) {
            io.result(i, PageIo.Result.MISSING);
            return;
        }
        byte[] page = sealing == null ? value : sealing.open(value, key(io.slot(i)));
        if (page == null || page.length != PageIo.PAGE_BYTES) {
            io.result(i, PageIo.Result.DAMAGED);
            return;
        }
        MemorySegment.copy(page, 0, io.data(), ValueLayout.JAVA_BYTE, (long) i * PageIo.PAGE_BYTES, PageIo.PAGE_BYTES);
        io.verify(i);
    }

    private interface Ask<T> {
        Response<T> of(AbstractPipeline pipeline, int i);
    }

    private interface AskAlone<T> {
        T of(int i);
    }

    private interface Answer<T> {
        void take(int i, T answer);
    }

    /** Asks for several pages at once, and again for those whose answer was that they are elsewhere. */
    private <T> void pipeline(PageIo io, List<Integer> indices, Ask<T> ask, AskAlone<T> alone, Answer<T> answer) {
        List<Integer> left = new ArrayList<>(indices);
        for (int attempt = 0; attempt < 2 && !left.isEmpty(); attempt++) {
            List<Integer> again = new ArrayList<>();
            List<Response<T>> responses = new ArrayList<>();
            boolean stalled = false;
            try (AbstractPipeline pipeline = jedis.pipelined()) {
                for (int i : left) {
                    responses.add(ask.of(pipeline, i));
                }
                pipeline.sync();
            } catch (JedisConnectionException e) {
                stalled = timedOut(e);
            } catch (JedisException e) {
                // Told of each response below.
                stalled = false;
            }
            for (int k = 0; k < left.size(); k++) {
                int i = left.get(k);
                if (k >= responses.size() || !settle(io, i, responses.get(k), answer)) {
                    again.add(i);
                }
            }
            left = stalled ? List.of() : again;
        }
        for (int i : left) {
            try {
                answer.take(i, alone.of(i));
            } catch (JedisException e) {
                io.result(i, failure(e));
                if (io.result(i) == PageIo.Result.UNREACHABLE) {
                    break;
                }
            }
        }
        for (int i : indices) {
            if (io.result(i) == PageIo.Result.PENDING) {
                io.result(i, PageIo.Result.UNREACHABLE);
            }
        }
    }

    /** Whether the server was there and did not answer: asking again at once would wait as long again. */
    private static boolean timedOut(JedisConnectionException e) {
        for (Throwable t = e; t != null; t = t.getCause()) {
            if (t instanceof SocketTimeoutException) {
                return true;
            }
        }
        return false;
    }

    private static <T> boolean settle(PageIo io, int i, Response<T> response, Answer<T> answer) {
        try {
            answer.take(i, response.get());
            return true;
        } catch (JedisDataException e) {
            if (failure(e) == PageIo.Result.FULL) {
                io.result(i, PageIo.Result.FULL);
                return true;
            }
            return false;
        } catch (JedisException | IllegalStateException e) {
            return false;
        }
    }

    private static PageIo.Result failure(JedisException e) {
        return e.getMessage() != null && e.getMessage().startsWith("OOM ")
                ? PageIo.Result.FULL
                : PageIo.Result.UNREACHABLE;
    }

    @Override
    public void free(int[] slots, int count) {
        int[] mine = Arrays.copyOf(slots, count);
        for (int slot : mine) {
            release(slot);
        }
        // In the thread that writes, so behind what was written there before and ahead of what comes there next.
        workers.later(() -> delete(mine));
    }

    private void delete(int[] slots) {
        for (int from = 0; from < slots.length; from += CHUNK) {
            try (AbstractPipeline pipeline = jedis.pipelined()) {
                for (int k = from; k < Math.min(from + CHUNK, slots.length); k++) {
                    pipeline.del(key(slots[k]));
                }
                pipeline.sync();
            } catch (JedisException e) {
                // They expire.
                return;
            }
        }
    }

    private synchronized int[] slotsInUse() {
        return used.stream().toArray();
    }

    private void refreshForEver() {
        try {
            while (true) {
                Thread.sleep(ttl.dividedBy(3));
                refresh();
            }
        } catch (InterruptedException e) {
            // Closed.
            return;
        }
    }

    private void refresh() {
        int[] slots = slotsInUse();
        for (int from = 0; from < slots.length; from += CHUNK) {
            try (AbstractPipeline pipeline = jedis.pipelined()) {
                for (int k = from; k < Math.min(from + CHUNK, slots.length); k++) {
                    pipeline.pexpire(key(slots[k]), ttl.toMillis());
                }
                pipeline.sync();
            } catch (JedisException e) {
                // Two thirds of the time are left to try again.
                continue;
            }
        }
    }

    @Override
    public synchronized void adopt(int[] slots, int count) {
        for (int i = 0; i < count; i++) {
            if (slots[i] >= 0 && slots[i] < MAX_SLOTS && !used.get(slots[i])) {
                used.set(slots[i]);
                pages++;
                next = Math.max(next, slots[i] + 1 == MAX_SLOTS ? 0 : slots[i] + 1);
            }
        }
    }

    @Override
    public int sparse(int[] slots) {
        return 0;
    }

    @Override
    public synchronized StoreStatistics statistics() {
        return new StoreStatistics(
                pages, (long) pages * valueBytes, limitBytes, written.get(), read.get(), refused.get(), failed.get());
    }

    @Override
    public void discard() {
        int[] slots = slotsInUse();
        CompletableFuture<Void> done = new CompletableFuture<>();
        workers.later(() -> {
            delete(slots);
            done.complete(null);
        });
        done.completeOnTimeout(null, 10, TimeUnit.SECONDS).join();
    }

    @Override
    public void close() {
        refresher.interrupt();
        workers.close();
        if (quick != null) {
            quick.close();
        }
        jedis.close();
    }
}
