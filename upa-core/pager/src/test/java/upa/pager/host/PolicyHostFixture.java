package upa.pager.host;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import upa.policy.FaultBatch;
import upa.policy.Hint;
import upa.policy.PageBatch.Cause;
import upa.policy.Pressure;

/** A policy host over pages that a test puts in and takes away, with one policy that misbehaves as the test says. */
abstract class PolicyHostFixture {
    static final int PAGES = 2000;
    private static int ids;

    final FakeMechanism pages = new FakeMechanism(PAGES, 100);
    final List<String> said = new ArrayList<>();
    final PolicyHost host = new PolicyHost(pages, said::add);
    final String id = "host" + ids++;

    static PolicySpec spec(String text) {
        return PolicySpec.parse(text);
    }

    void start() {
        host.replace(spec("test,id=" + id));
    }

    void add(int from, int to) {
        int[] numbers = IntStream.range(from, to).peek(pages::put).toArray();
        host.added(Cause.FIRST_TOUCH, numbers, numbers.length);
    }

    static FaultBatch fault(int page) {
        return new FakeFaults(7, true, -1, page);
    }

    /** Calls one callback of the policies. */
    void call(String callback) {
        switch (callback) {
            case "added" -> add(20, 21);
            case "used" -> host.used(Cause.FAULT, new int[] {1}, 1);
            case "gone" -> host.gone(Cause.FREED, new int[] {9}, 1);
            case "evict" -> host.evict(1, true);
            case "fault" -> host.fault(fault(4));
            case "pressure" -> host.pressure(new Pressure(0.5, 1));
            case "hint" -> host.hint(new Hint(Hint.Kind.NORMAL, 0, 1, 0));
            case "tick" -> host.tick();
            default -> throw new IllegalArgumentException(callback);
        }
    }
}
