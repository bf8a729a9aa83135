package upa.pager.live;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import upa.pager.host.PolicySpec;
import upa.policy.PolicyStatistics;

/**
 * What a page of the device costs with its pager, and how often the same accesses miss under each policy. Run in the
 * virtual machine by {@code device-pager.sh cost}; with {@code --icount} a nanosecond is an instruction, of all
 * processes together.
 */
final class DeviceCost {
    private static final int PAGES = 2048;
    private static final int FRAMES = 1536;
    private static final long BOUND = 2 << 20;
    private static final int STEPS = 20_000;

    private DeviceCost() {}

    public static void main(String[] args) throws Exception {
        Path folder = Files.createTempDirectory("cost");
        try (DeviceOwner owner = new DeviceOwner(PAGES, FRAMES);
                RegionListener listener = new RegionListener(folder.resolve("pager"), System.out::println);
                DevicePager pager = owner.admit(listener, "admit", BOUND + " clock lz4:32M wait")) {
            // Until the compiler has done all it does.
            owner.ask("run 1 " + STEPS / 4 + " 1");
            owner.ask("cost 1");
            long nanos = pager.evictionNanos();
            long evictions = pager.statistics().evictions();
            long dropped = pager.dropped();
            System.out.println("clean: " + owner.ask("cost 2"));
            print("clean", pager, nanos, evictions, dropped);
            nanos = pager.evictionNanos();
            evictions = pager.statistics().evictions();
            dropped = pager.dropped();
            System.out.println("written: " + owner.ask("dirty 1"));
            print("written", pager, nanos, evictions, dropped);
            for (String kind : List.of("hot", "scan")) {
                for (String policy : List.of("fifo", "clock", "s3-fifo")) {
                    pager.policy(PolicySpec.parse(policy)).join();
                    owner.ask("trace " + kind + " 5000 3");
                    PolicyStatistics before = pager.statistics();
                    String said = owner.ask("trace " + kind + " " + STEPS + " 4");
                    long evicted = pager.statistics().evictions() - before.evictions();
                    System.out.println(kind + " " + policy + ": " + said + " evictions=" + evicted);
                }
            }
        }
    }

    private static void print(String what, DevicePager pager, long nanos, long evictions, long dropped) {
        long count = pager.statistics().evictions() - evictions;
        System.out.println(what + ": evictions=" + count + " without copy=" + (pager.dropped() - dropped) + " each="
                + (pager.evictionNanos() - nanos) / Math.max(1, count));
    }
}
