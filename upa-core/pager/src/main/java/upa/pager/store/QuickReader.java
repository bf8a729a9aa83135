package upa.pager.store;

import java.util.concurrent.Executor;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import redis.clients.jedis.Connection;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisClientConfig;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.exceptions.JedisException;

/**
 * A connection on which the thread that wants one value asks for it itself: to wake another thread, and to be woken by
 * it, costs more than half of what a server near by takes to answer. It waits for no longer than {@link
 * #MOST_MILLIS}. A server that has not answered by then is asked in another way for a while, and the connection is made
 * anew elsewhere.
 *
 * <p>Safe for use by several threads: one asks at a time, and no other waits for it.
 */
final class QuickReader implements AutoCloseable {
    /** Fifty times what a server near by takes. */
    static final int MOST_MILLIS = 2;

    private static final long PAUSE_NANOS = 100_000_000;

    private final HostAndPort host;
    private final JedisClientConfig config;
    private final Executor connector;
    private final ReentrantLock lock = new ReentrantLock();
    /** Null while there is none: the lock is needed for all of these. */
    private Connection connection;

    private boolean connecting;
    private boolean closed;
    private long next = System.nanoTime();

    /**
     * Makes one that connects when it is first asked.
     *
     * @param host      of the server
     * @param config    of connections
     * @param connector makes connections, which may take its time
     */
    QuickReader(HostAndPort host, JedisClientConfig config, Executor connector) {
        this.host = host;
        this.config = config;
        this.connector = connector;
    }

    /**
     * Asks for a value.
     *
     * @param key    its key
     * @param answer gets the value, or null if there is none
     * @return false if it must be asked for otherwise: then there is no answer
     */
    boolean ask(byte[] key, Consumer<byte[]> answer) {
        byte[] value;
        if (!lock.tryLock()) {
            return false;
        }
        try {
            if (connection == null) {
                connectSoon();
                return false;
            }
            connection.sendCommand(Protocol.Command.GET, key);
            value = connection.getBinaryBulkReply();
        } catch (JedisException e) {
            // What it answers later nobody must take for the answer to something else.
            disconnect();
            return false;
        } finally {
            lock.unlock();
        }
        answer.accept(value);
        return true;
    }

    private void connectSoon() {
        if (!connecting && !closed && System.nanoTime() - next >= 0) {
            connecting = true;
            connector.execute(this::connect);
        }
    }

    private void connect() {
        Connection made = null;
        try {
            made = new Connection(
                    host, DefaultJedisClientConfig.builder().from(config).build());
            made.setSoTimeout(MOST_MILLIS);
        } catch (JedisException e) {
            // Again after a pause.
            made = close(made);
        }
        lock.lock();
        try {
            connecting = false;
            next = System.nanoTime() + PAUSE_NANOS;
            connection = closed ? close(made) : made;
        } finally {
            lock.unlock();
        }
    }

    private void disconnect() {
        connection = close(connection);
        next = System.nanoTime() + PAUSE_NANOS;
    }

    private static Connection close(Connection of) {
        try {
            if (of != null) {
                of.close();
            }
        } catch (JedisException e) {
            // It is of no use any more.
            return null;
        }
        return null;
    }

    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            connection = close(connection);
        } finally {
            lock.unlock();
        }
    }
}
