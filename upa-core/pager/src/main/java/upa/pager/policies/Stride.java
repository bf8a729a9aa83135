package upa.pager.policies;

import upa.policy.FaultBatch;
import upa.policy.Fetch;
import upa.policy.MemoryPolicy;
import upa.policy.PolicyAid;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * Prefetches along constant strides, as of a column of a matrix. Each thread has a table of its last faults by area of
 * 64 MiB; when the same distance is seen twice in a row, the next pages at that distance are fetched, more of them the
 * longer it holds.
 */
@PolicyInfo(
        name = "stride",
        summary = "prefetches at constant distances, as down the column of a matrix",
        options = {"most=64: pages fetched ahead", "reach=16M: longest distance"},
        api = MemoryPolicy.API)
public final class Stride implements PolicyAid {
    private static final int PAGE_SHIFT = 12;
    private static final int AREA_SHIFT = 14;
    private static final int ENTRIES = 256;

    private int most;
    private int reach;
    private final int[] last = new int[ENTRIES];
    private final int[] stride = new int[ENTRIES];
    private final int[] runs = new int[ENTRIES];
    private final int[] owner = new int[ENTRIES];

    /** Makes one. */
    public Stride() {}

    @Override
    public void attach(PolicyContext c) {
        most = c.options().count("most", 64, 1, 4096);
        reach = (int) (c.options().bytes("reach", 16 << 20, 1 << PAGE_SHIFT, 1L << 32) >> PAGE_SHIFT);
    }

    @Override
    public void fault(FaultBatch faults, Fetch also) {
        for (int i = 0; i < faults.size(); i++) {
            one(faults.page(i), faults.thread(i), also);
        }
    }

    /**
     * A stride crosses areas: the entry of the area before is looked for as well, and moves along.
     */
    private void one(int page, int thread, Fetch also) {
        int area = page >>> AREA_SHIFT;
        int e = entry(thread, area);
        if (owner[e] != key(thread, area)) {
            int before = entry(thread, area - 1);
            boolean crossed =
                    owner[before] == key(thread, area - 1) && stride[before] > 0 && page - last[before] <= reach;
            last[e] = crossed ? last[before] : page;
            stride[e] = crossed ? stride[before] : 0;
            runs[e] = crossed ? runs[before] : 0;
            owner[e] = key(thread, area);
        }
        int distance = page - last[e];
        last[e] = page;
        if (distance == 0) {
            return;
        }
        int jumps = stride[e] == 0 || distance % stride[e] != 0 ? 0 : distance / stride[e];
        if (jumps >= 1 && jumps <= most + 1) {
            // More than one: those between had been prefetched.
            runs[e] = Math.min(runs[e] + 1, 30);
        } else {
            runs[e] = 0;
            stride[e] = Math.abs(distance) <= reach ? distance : 0;
        }
        if (runs[e] > 0) {
            int count = Math.min(most, 1 << runs[e]);
            int next = page;
            for (int i = 0; i < count && also.room() > 0; i++) {
                next += stride[e];
                also.bring(next);
            }
        }
    }

    private static int key(int thread, int area) {
        return thread * 0x9e3779b9 + area + 1;
    }

    private static int entry(int thread, int area) {
        return (key(thread, area) * 0x85ebca6b) >>> 24;
    }
}
