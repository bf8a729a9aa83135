package upa.pager.policies;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import upa.pager.host.Options;
import upa.policy.PolicyException;

/**
 * Reads declarative rules. Words are separated by space; case does not matter.
 *
 * <pre>
 *   rules     = rule { ";" rule }
 *   rule      = "when" term { "and" term } ":" action { ";" clause }
 *   term      = [ "not" ] ( "written" | "used" | "in" PLACE | "age" ( "&gt;" | "&lt;" ) TIME )
 *   action    = "move" "to" PLACE | "evict" | "fetch" | "collapse" | "keep"
 *   clause    = "quota" BYTES "/s" | "goal" "pressure" "&lt;" PERCENT | "between" PERCENT "and" PERCENT "free"
 *   PLACE     = "memory" | "compressed" | "file" | "remote" | "node" | a store's name
 * </pre>
 */
final class RuleParser {
    private static final Pattern TOKEN = Pattern.compile("\\s*([:;<>]|/s|[^\\s:;<>/]+)");
    private static final Pattern PERCENT = Pattern.compile("([0-9]{1,3}(?:\\.[0-9]{1,6})?)%");

    private final String text;
    private final List<String> tokens = new ArrayList<>();
    private int at;

    private RuleParser(String text) {
        this.text = text;
        Matcher m = TOKEN.matcher(text);
        int end = 0;
        while (m.find() && m.start() == end) {
            tokens.add(m.group(1).toLowerCase(Locale.ROOT));
            end = m.end();
        }
        if (!text.substring(end).isBlank()) {
            throw new PolicyException("cannot read rule=" + text + ": at character=" + (end + 1));
        }
    }

    /**
     * Reads rules.
     *
     * @param text as the user wrote it; null: there is none
     * @return at least one
     * @throws PolicyException that says where it cannot be read, and what could stand there
     */
    static List<Rule> parse(String text) {
        if (text == null) {
            throw new PolicyException("policy=rules needs its text: --policy 'when age>30s: evict'");
        }
        RuleParser parser = new RuleParser(text);
        List<Rule> rules = new ArrayList<>();
        do {
            rules.add(parser.rule());
        } while (parser.at < parser.tokens.size());
        return rules;
    }

    private String peek() {
        return at < tokens.size() ? tokens.get(at) : "";
    }

    private PolicyException expected(String what) {
        String found = at < tokens.size() ? "found " + tokens.get(at) : "it ends there";
        return new PolicyException(
                "cannot read rule=" + text + ": word=" + (at + 1) + ": expected " + what + ", " + found);
    }

    private boolean accept(String token) {
        if (peek().equals(token)) {
            at++;
            return true;
        }
        return false;
    }

    private void expect(String token) {
        if (!accept(token)) {
            throw expected(token);
        }
    }

    private Rule rule() {
        expect("when");
        List<Rule.Term> terms = new ArrayList<>();
        do {
            terms.add(term());
        } while (accept("and"));
        expect(":");
        Rule.Action action = action();
        String place = action == Rule.Action.MOVE ? place() : null;
        long quota = -1;
        double goal = -1;
        double low = 0;
        double high = 1;
        Set<String> said = new HashSet<>();
        while (at < tokens.size()) {
            expect(";");
            if (at == tokens.size() || peek().equals("when")) {
                break;
            }
            if (!said.add(peek())) {
                throw new PolicyException("cannot read rule=" + text + ": " + peek() + " is said twice");
            }
            if (accept("quota")) {
                quota = bytes();
                expect("/s");
            } else if (accept("goal")) {
                expect("pressure");
                expect("<");
                goal = percent();
            } else if (accept("between")) {
                low = percent();
                expect("and");
                high = percent();
                expect("free");
                if (low > high) {
                    throw new PolicyException("cannot read rule=" + text + ": between " + low * 100 + "% and "
                            + high * 100
                            + "% is nothing");
                }
            } else {
                throw expected("quota, goal, between or when");
            }
        }
        return new Rule(List.copyOf(terms), action, place, quota, goal, low, high);
    }

    private Rule.Term term() {
        boolean not = accept("not");
        if (accept("written")) {
            return new Rule.Term(Rule.Test.WRITTEN, not, 0, null);
        }
        if (accept("used")) {
            return new Rule.Term(Rule.Test.USED, not, 0, null);
        }
        if (accept("in")) {
            return new Rule.Term(Rule.Test.IN, not, 0, place());
        }
        if (accept("age")) {
            boolean older = accept(">");
            if (!older) {
                if (!accept("<")) {
                    throw expected("> or <");
                }
            }
            return new Rule.Term(older ? Rule.Test.OLDER : Rule.Test.YOUNGER, not, time().toNanos(), null);
        }
        throw expected("written, used, in or age");
    }

    private Rule.Action action() {
        if (accept("move")) {
            expect("to");
            return Rule.Action.MOVE;
        }
        for (Rule.Action action : Rule.Action.values()) {
            if (action != Rule.Action.MOVE && accept(action.name().toLowerCase(Locale.ROOT))) {
                return action;
            }
        }
        throw expected("move to, evict, fetch, collapse or keep");
    }

    private String place() {
        if (at == tokens.size() || !peek().matches("[a-z][a-z0-9-]*")) {
            throw expected("a place");
        }
        return tokens.get(at++);
    }

    private Duration time() {
        Duration time = Options.parseDuration(peek());
        if (time == null) {
            throw expected("a time, as 30s");
        }
        at++;
        return time;
    }

    private long bytes() {
        long bytes = Options.parseBytes(peek());
        if (bytes < 0) {
            throw expected("bytes, as 64MiB");
        }
        at++;
        return bytes;
    }

    private double percent() {
        Matcher m = PERCENT.matcher(peek());
        if (!m.matches() || Double.parseDouble(m.group(1)) > 100) {
            throw expected("a percentage, as 10%");
        }
        at++;
        return Double.parseDouble(m.group(1)) / 100;
    }
}
