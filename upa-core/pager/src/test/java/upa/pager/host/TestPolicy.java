package upa.pager.host;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import upa.policy.Actions;
import upa.policy.Eviction;
import upa.policy.FaultBatch;
import upa.policy.Fetch;
import upa.policy.Hint;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PageList;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;
import upa.policy.Pressure;

/** First in, first out, and whatever misdeed its test wishes for, by the option {@code id}. */
@PolicyInfo(name = "test", summary = "for tests", options = "id=: of the misdeeds", api = MemoryPolicy.API)
public final class TestPolicy implements MemoryPolicy {
    /** What is done before the policy does its work. */
    public interface Misdeed {
        void run(TestPolicy policy, Object argument) throws Exception;
    }

    /** By id and callback. */
    public static final Map<String, Misdeed> MISDEEDS = new ConcurrentHashMap<>();

    public static final List<TestPolicy> MADE = new ArrayList<>();

    public final List<String> log = new ArrayList<>();
    public PolicyContext context;
    public PageList queue;
    public boolean closed;
    /** Not known yet in the constructor. */
    private String id = "";

    public TestPolicy() {
        synchronized (MADE) {
            MADE.add(this);
        }
        misbehave("constructor", null);
    }

    /** The one made last. */
    public static TestPolicy latest() {
        synchronized (MADE) {
            return MADE.getLast();
        }
    }

    /** Sets what happens in a callback of policies with an id. */
    public static void misdeed(String id, String callback, Misdeed misdeed) {
        MISDEEDS.put(id + " " + callback, misdeed);
    }

    private void misbehave(String callback, Object argument) {
        Misdeed misdeed = MISDEEDS.get(id + " " + callback);
        if (misdeed != null) {
            try {
                misdeed.run(this, argument);
            } catch (RuntimeException | Error e) {
                throw e;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private void note(String callback, PageBatch pages) {
        StringBuilder text = new StringBuilder(callback + " " + pages.cause());
        for (int i = 0; i < pages.size(); i++) {
            text.append(' ').append(pages.page(i));
        }
        log.add(text.toString());
    }

    @Override
    public void attach(PolicyContext c) {
        context = c;
        id = c.options().text("id", "");
        queue = c.list();
        misbehave("attach", c);
    }

    @Override
    public void added(PageBatch pages) {
        note("added", pages);
        misbehave("added", pages);
        for (int i = 0; i < pages.size(); i++) {
            queue.addLast(pages.page(i));
        }
    }

    @Override
    public void used(PageBatch pages) {
        note("used", pages);
        misbehave("used", pages);
    }

    @Override
    public void gone(PageBatch pages) {
        note("gone", pages);
        misbehave("gone", pages);
        for (int i = 0; i < pages.size(); i++) {
            queue.remove(pages.page(i));
        }
    }

    @Override
    public void evict(Eviction wanted) {
        misbehave("evict", wanted);
        while (wanted.wanted() > 0 && !queue.isEmpty()) {
            wanted.propose(queue.removeFirst());
        }
    }

    @Override
    public void fault(FaultBatch faults, Fetch also) {
        log.add("fault " + faults.page(0) + " thread " + faults.thread(0) + (faults.isWrite(0) ? " write" : "")
                + (faults.distance(0) < 0 ? "" : " distance " + faults.distance(0)));
        misbehave("fault", also);
    }

    @Override
    public void pressure(Pressure pressure) {
        log.add("pressure " + pressure.stalled());
        misbehave("pressure", pressure);
    }

    @Override
    public void hint(Hint hint) {
        log.add("hint " + hint.kind() + " " + hint.first() + " " + hint.pages());
        misbehave("hint", hint);
    }

    @Override
    public void tick(Actions actions) {
        misbehave("tick", actions);
    }

    @Override
    public void close() {
        closed = true;
        misbehave("close", null);
    }
}
