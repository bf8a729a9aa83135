import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import upa.policy.Eviction;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/** A policy that does what none may do: its option says what. With {@code well} it does what it should. */
@PolicyInfo(name = "faulty", summary = "for tests", options = "does=: which fault", api = MemoryPolicy.API)
public final class Faulty implements MemoryPolicy {
    /** One that cannot be made. */
    @PolicyInfo(name = "unmade", summary = "for tests", api = MemoryPolicy.API)
    public static final class Unmade implements MemoryPolicy {
        /** Fails. */
        public Unmade() {
            throw new IllegalStateException("not today");
        }

        @Override
        public void attach(PolicyContext context) {}

        @Override
        public void evict(Eviction wanted) {}
    }

    private final Deque<Integer> known = new ArrayDeque<>();
    private final List<int[]> hoard = new ArrayList<>();
    private String fault;
    private int next;

    @Override
    public void attach(PolicyContext c) {
        fault = c.options().text("does", "");
        switch (fault) {
            case "attach" -> throw new IllegalStateException("not this one");
            case "attach-exit" -> System.exit(0);
            case "attach-loop" -> {
                while (next >= 0) {
                    next = next + 1 & Integer.MAX_VALUE;
                }
            }
            default -> {
                return;
            }
        }
    }

    @Override
    public void added(PageBatch pages) {
        for (int i = 0; i < pages.size() && fault.equals("well"); i++) {
            known.add(pages.page(i));
        }
        if (fault.equals("hoard")) {
            for (int i = 0; i < 512; i++) {
                hoard.add(new int[1 << 18]);
            }
        }
    }

    @Override
    public void evict(Eviction wanted) {
        switch (fault) {
            case "loop" -> {
                while (next >= 0) {
                    next = next + 1 & Integer.MAX_VALUE;
                }
            }
            case "throw" -> throw new IllegalStateException("no victims");
            case "recurse" -> evict(wanted);
            case "sleep" -> {
                try {
                    Thread.sleep(100_000);
                } catch (InterruptedException e) {
                    evict(wanted);
                }
            }
            case "well" -> {
                while (wanted.wanted() > 0 && !known.isEmpty()) {
                    wanted.propose(known.remove());
                }
            }
            case "exit" -> System.exit(0);
            case "halt" -> Runtime.getRuntime().halt(0);
            case "halt-later" -> {
                // Not in a callback: that has ended.
                if (next++ == 0) {
                    Thread.ofPlatform().start(() -> {
                        try {
                            Thread.sleep(200);
                        } catch (InterruptedException e) {
                            return;
                        }
                        Runtime.getRuntime().halt(0);
                    });
                }
            }
            case "starve" -> throw new OutOfMemoryError("none");
            case "nonsense" -> {
                for (int i = 0; i < 64; i++) {
                    wanted.propose(next * 31);
                    wanted.propose(-next);
                    wanted.propose(Integer.MAX_VALUE - next);
                    next++;
                }
            }
            default -> {
                // Nothing at all: others are taken.
                return;
            }
        }
    }
}
