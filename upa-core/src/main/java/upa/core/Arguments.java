package upa.core;

import static upa.core.RegionDescriptor.CHILD_BYTES;

/** Checks of arguments that more than one method takes. Messages say name=value, and what is allowed. */
final class Arguments {
    private Arguments() {}

    static void checkNotNull(String name, Object argument) {
        if (argument == null) {
            throw new NullPointerException(name + "=null");
        }
    }

    static void checkSize(String name, long bytes) {
        if (bytes <= 0) {
            throw new IllegalArgumentException("out of range: " + name + "=" + bytes + " (1 or more)");
        }
    }

    static void checkNotNegative(String name, long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("out of range: " + name + "=" + bytes + " (0 or more)");
        }
    }

    static void checkFlags(int flags, int known) {
        if ((flags & ~known) != 0) {
            throw new IllegalArgumentException("unknown flags: flags=" + flags + " known=" + known);
        }
    }

    /** How many whole children an amount makes, 0 or more. */
    static long children(long bytes) {
        checkNotNegative("bytes", bytes);
        return bytes / CHILD_BYTES;
    }
}
