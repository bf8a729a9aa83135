package consumer;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import upa.core.PageArena;
import upa.core.Region;
import upa.core.Upa;

final class Consumer {
    private Consumer() {}

    public static void main(String[] arguments) {
        try (Region region = Region.create(64L << 20);
                PageArena arena = PageArena.ofConfined(region)) {
            MemorySegment block = arena.allocate(1 << 20);
            block.set(ValueLayout.JAVA_LONG, 4096, 42);
            System.out.println(block.get(ValueLayout.JAVA_LONG, 4096) + " by consumer of upa " + Upa.VERSION);
        }
    }
}
