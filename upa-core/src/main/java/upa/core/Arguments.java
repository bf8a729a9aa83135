package upa.core;

import static upa.core.RegionDescriptor.CHILD_BYTES;
import static upa.core.RegionDescriptor.PAGE_BYTES;

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

    /** What is to be thrown for a range that is not one of whole pages in the region. */
    static IllegalArgumentException foreign(Object region, long address, long bytes) {
        checkSize("bytes", bytes);
        String what = (address & PAGE_BYTES - 1) != 0 ? "misaligned" : "not in the region";
        return new IllegalArgumentException(
                String.format("%s: address=%#x bytes=%d of %s", what, address, bytes, region));
    }

    /** The same exception, with a message that says which range it is about. */
    static RuntimeException blamed(RuntimeException e, Object region, long address, long bytes) {
        String message = String.format("address=%#x bytes=%d of %s: %s", address, bytes, region, e.getMessage());
        return e instanceof IllegalArgumentException
                ? new IllegalArgumentException(message, e)
                : new IllegalStateException(message, e);
    }
}
