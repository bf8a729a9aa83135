package upa.pager.store;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** The threads of a store that waits for a device or a network: those that write never hold up those that read. */
final class Workers {
    private final ExecutorService writer;
    private final ExecutorService reader;

    Workers(String name, int writers, int readers) {
        writer = pool(name + " writer", writers);
        reader = pool(name + " reader", readers);
    }

    private static ExecutorService pool(String name, int threads) {
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                threads,
                threads,
                10,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                task -> Thread.ofPlatform().daemon().name(name).unstarted(task));
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }

    CompletableFuture<PageIo> write(PageIo io, Consumer<PageIo> work) {
        return start(writer, io, work);
    }

    CompletableFuture<PageIo> read(PageIo io, Consumer<PageIo> work) {
        return start(reader, io, work);
    }

    /** Something that nobody waits for. */
    void later(Runnable work) {
        try {
            writer.execute(work);
        } catch (RejectedExecutionException e) {
            // Closed: nothing is left to tidy up.
            return;
        }
    }

    private static CompletableFuture<PageIo> start(ExecutorService pool, PageIo io, Consumer<PageIo> work) {
        CompletableFuture<PageIo> done = new CompletableFuture<>();
        try {
            pool.execute(() -> {
                try {
                    work.accept(io);
                } catch (OutOfMemoryError e) {
                    done.completeExceptionally(e);
                } catch (Throwable t) {
                    // Whatever it was: pages without a result were not dealt with.
                    unreachable(io);
                }
                done.complete(io);
            });
        } catch (RejectedExecutionException e) {
            unreachable(io);
            done.complete(io);
        }
        return done;
    }

    private static void unreachable(PageIo io) {
        for (int i = 0; i < io.count(); i++) {
            if (io.result(i) == PageIo.Result.PENDING) {
                io.result(i, PageIo.Result.UNREACHABLE);
            }
        }
    }

    /**
     * Ends the threads when they have done what waits.
     *
     * @return whether they have ended: if not, what they use must stay open
     */
    boolean close() {
        writer.shutdown();
        reader.shutdown();
        try {
            return writer.awaitTermination(10, TimeUnit.SECONDS) & reader.awaitTermination(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }
}
