package upa.pager.live;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import upa.pager.device.Transfers;
import upa.pager.store.PageIo;

/** The module's side of {@link Transfers}: {@code struct upadev_transfer}, by hand. */
final class DeviceTransfers {
    private static final int BYTES = 32;

    private DeviceTransfers() {}

    static int page(Transfers t, int i) {
        return (int) t.items().get(ValueLayout.JAVA_LONG, (long) i * BYTES);
    }

    static long buffer(Transfers t, int i) {
        return t.items().get(ValueLayout.JAVA_LONG, (long) i * BYTES + 8);
    }

    static MemorySegment content(Transfers t, int i) {
        return MemorySegment.ofAddress(buffer(t, i)).reinterpret(PageIo.PAGE_BYTES);
    }

    static int away(Transfers t, int i) {
        return t.items().get(ValueLayout.JAVA_INT, (long) i * BYTES + 16);
    }

    static void finish(Transfers t, int i, int result, boolean clean) {
        t.items().set(ValueLayout.JAVA_INT, (long) i * BYTES + 24, result);
        t.items().set(ValueLayout.JAVA_INT, (long) i * BYTES + 28, clean ? 1 : 0);
    }
}
