package upa.pager.policies;

import java.util.List;
import upa.pager.host.PolicySpec;
import upa.policy.Actions;
import upa.policy.Eviction;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PageList;
import upa.policy.Place;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * Policy without a program, in the words of DAMOS: {@code when age>30s and not written: move to compressed; quota
 * 64MiB/s; goal pressure<1%; between 10% and 20% free}. A page's age is the time since the last evidence of use. The
 * first rule that fits a page holds; what is needed beyond the rules is taken by age, at last even what they keep.
 * {@link RuleParser} has the grammar.
 */
@PolicyInfo(
        name = "rules",
        summary = "when CONDITIONS: ACTION; quota; goal; free memory (as DAMOS)",
        options = "rules: the text, as in --policy 'when age>30s and not written: move to compressed; quota 64MiB/s'",
        api = MemoryPolicy.API)
public final class Rules implements MemoryPolicy {
    private static final int MOST_PAGES_PER_TICK = 1 << 16;
    private static final long MOST_NANOS_PER_TICK = 1_000_000_000;
    private PolicyContext context;
    private RuleMatcher matcher;
    private RuleBudgets budgets;
    /** By last evidence of use, the oldest first: in memory, and elsewhere. */
    private PageList inside;

    private PageList outside;
    private long lastTick;
    private int cursor = PageList.NONE;

    /** Makes one. */
    public Rules() {}

    @Override
    public void attach(PolicyContext c) {
        context = c;
        List<Rule> rules = RuleParser.parse(c.options().text(PolicySpec.RULES, null));
        matcher = new RuleMatcher(rules, c);
        budgets = new RuleBudgets(rules);
        inside = c.list();
        outside = c.list();
        lastTick = c.nanoTime();
    }

    @Override
    public void added(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            inside.addLast(pages.page(i));
            matcher.enter(pages.page(i));
        }
    }

    @Override
    public void used(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            int page = pages.page(i);
            if (inside.contains(page)) {
                inside.addLast(page);
                matcher.use(page, pages.cause() == PageBatch.Cause.WRITTEN);
            }
        }
    }

    @Override
    public void gone(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            int page = pages.page(i);
            if (pages.cause() != PageBatch.Cause.EVICTED) {
                inside.remove(page);
                outside.remove(page);
            } else if (inside.contains(page)) {
                outside.addLast(page);
            }
        }
    }

    @Override
    public void evict(Eviction wanted) {
        int spared = inside.size();
        while (wanted.wanted() > 0 && !inside.isEmpty()) {
            int page = inside.first();
            int rule = spared-- > 0 ? matcher.fitting(page) : -1;
            if (rule >= 0 && matcher.rule(rule).action() == Rule.Action.KEEP) {
                inside.addLast(page);
            } else {
                outside.addLast(page);
                wanted.propose(page);
            }
        }
    }

    @Override
    public void tick(Actions actions) {
        long now = context.nanoTime();
        double seconds = Math.min(now - lastTick, MOST_NANOS_PER_TICK) * 1e-9;
        lastTick = now;
        if (budgets.refill(seconds, context.pressure())) {
            walk(inside, actions);
            walk(outside, actions);
        }
    }

    private void walk(PageList list, Actions actions) {
        int left = Math.min(list.size(), MOST_PAGES_PER_TICK);
        int page = list.contains(cursor) ? cursor : list.first();
        while (left-- > 0 && page != PageList.NONE) {
            int next = list.next(page);
            int rule = matcher.fitting(page);
            if (rule >= 0 && budgets.allows(rule)) {
                budgets.spend(rule, apply(matcher.rule(rule), page, actions));
            }
            page = next;
        }
        cursor = page;
    }

    /** Returns the bytes moved. */
    private long apply(Rule rule, int page, Actions actions) {
        boolean resident = context.isResident(page);
        Place to = rule.place() == null ? null : matcher.place(rule.place());
        boolean done = switch (rule.action()) {
            case MOVE -> {
                if (to == null) {
                    yield !resident && actions.bring(page);
                }
                yield resident
                        ? leave(page, to, actions)
                        : !to.equals(context.placeOf(page)) && actions.migrate(page, to);
            }
            case EVICT -> resident && leave(page, null, actions);
            case FETCH -> !resident && actions.bring(page);
            case COLLAPSE -> resident && page % PolicyContext.BLOCK_PAGES == 0 && actions.collapse(page);
            case KEEP -> false;
        };
        return done ? rule.bytes() : 0;
    }

    private boolean leave(int page, Place to, Actions actions) {
        outside.addLast(page);
        return actions.evict(page, to);
    }
}
