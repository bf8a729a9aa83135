package upa.measure;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * What Ctrl-C does to a measurement: it stops, and the JVM waits until the report of what there is has been written.
 */
public final class CtrlC implements AutoCloseable {

    private final CountDownLatch finished = new CountDownLatch(1);
    private final Thread hook;

    /**
     * From now on Ctrl-C stops the measurement instead of the JVM.
     *
     * @param stop ends what runs, from another thread
     */
    public CtrlC(Runnable stop) {
        hook = new Thread(() -> {
            stop.run();
            try {
                finished.await(1, TimeUnit.MINUTES);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** The report has been written: Ctrl-C ends the JVM. */
    @Override
    public void close() {
        finished.countDown();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // It is running: the JVM goes now.
        }
    }
}
