package upa.pager.policies;

import java.util.List;
import java.util.Locale;
import upa.policy.PageColumn;
import upa.policy.Place;
import upa.policy.PolicyContext;
import upa.policy.PolicyException;

/** Says which rule fits a page. */
final class RuleMatcher {
    /** Mark of a page that was written since it came. */
    private static final int WRITTEN = 1;
    /** Mark of a page that was used since it came. */
    private static final int USED = 2;
    /** Unit of {@link #lastUse}: 100 ms. */
    private static final long UNIT_NANOS = 100_000_000;

    private static final String MEMORY = "memory";

    private final List<Rule> rules;
    private final PolicyContext context;
    private final PageColumn lastUse;

    RuleMatcher(List<Rule> rules, PolicyContext context) {
        this.rules = rules;
        this.context = context;
        lastUse = context.column(4);
        for (Rule rule : rules) {
            checkPlace(rule.place());
            rule.terms().forEach(t -> checkPlace(t.place()));
        }
    }

    private void checkPlace(String name) {
        if (name != null && !name.equals(MEMORY) && place(name) == null) {
            throw new PolicyException("policy=rules: there is no place=" + name + " for pages; there are memory"
                    + String.join(
                            "",
                            context.places().stream().map(p -> ", " + p.name()).toList()));
        }
    }

    Rule rule(int index) {
        return rules.get(index);
    }

    /** A place by its name or kind; null for memory. */
    Place place(String name) {
        for (Place place : context.places()) {
            if (place.name().equals(name)
                    || place.kind().name().toLowerCase(Locale.ROOT).equals(name)) {
                return place;
            }
        }
        return null;
    }

    private int now() {
        return (int) (context.nanoTime() / UNIT_NANOS);
    }

    /** A page has come. */
    void enter(int page) {
        context.mark(page, 0);
        lastUse.set(page, now());
    }

    /** There is evidence that a page is used now. */
    void use(int page, boolean written) {
        context.mark(page, context.mark(page) | (written ? WRITTEN | USED : USED));
        lastUse.set(page, now());
    }

    /** Index of the first rule that fits a page, or -1. */
    int fitting(int page) {
        for (int r = 0; r < rules.size(); r++) {
            if (fits(rules.get(r), page)) {
                return r;
            }
        }
        return -1;
    }

    private boolean fits(Rule rule, int page) {
        for (int i = 0; i < rule.terms().size(); i++) {
            if (!holds(rule.terms().get(i), page)) {
                return false;
            }
        }
        return true;
    }

    private boolean holds(Rule.Term term, int page) {
        long age = (now() - lastUse.get(page)) * UNIT_NANOS;
        boolean holds = switch (term.test()) {
            case WRITTEN -> (context.mark(page) & WRITTEN) != 0;
            case USED -> (context.mark(page) & USED) != 0;
            case IN ->
                term.place().equals(MEMORY)
                        ? context.isResident(page)
                        : place(term.place()).equals(context.placeOf(page));
            case OLDER -> age > term.nanos();
            case YOUNGER -> age < term.nanos();
        };
        return holds != term.not();
    }
}
