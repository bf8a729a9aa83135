package upa.pager.host;

import upa.policy.FaultBatch;

/** Faults of one thread, delivered together, all alike but for their pages. */
public record FakeFaults(int thread, boolean isWrite, int distance, int... pages) implements FaultBatch {
    @Override
    public int size() {
        return pages.length;
    }

    @Override
    public int page(int index) {
        return pages[index];
    }

    @Override
    public int thread(int index) {
        return thread;
    }

    @Override
    public boolean isWrite(int index) {
        return isWrite;
    }

    @Override
    public int distance(int index) {
        return distance;
    }
}
