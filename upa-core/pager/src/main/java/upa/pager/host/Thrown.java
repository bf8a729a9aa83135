package upa.pager.host;

import java.util.concurrent.CompletionException;

/** What a throwable says of itself. One of a policy is the policy's code: it may throw, or say too much. */
public final class Thrown {
    private static final int MOST_CHARACTERS = 500;

    private Thrown() {}

    /**
     * What was thrown first, where futures have passed it on.
     *
     * @param thrown whatever was thrown
     * @return it, or what it was caused by
     */
    public static Throwable first(Throwable thrown) {
        return thrown instanceof CompletionException && thrown.getCause() != null ? first(thrown.getCause()) : thrown;
    }

    /**
     * Whether memory was short.
     *
     * @param thrown whatever was thrown
     * @return whether it says so, or what it was caused by
     */
    public static boolean isOutOfMemory(Throwable thrown) {
        return first(thrown) instanceof OutOfMemoryError;
    }

    /**
     * The text for a message.
     *
     * @param thrown whatever was thrown
     * @return what it says, or its class if it cannot say it
     */
    public static String text(Throwable thrown) {
        try {
            String text = String.valueOf(thrown);
            return text.length() <= MOST_CHARACTERS ? text : text.substring(0, MOST_CHARACTERS) + "...";
        } catch (Throwable again) {
            return thrown.getClass().getName();
        }
    }
}
