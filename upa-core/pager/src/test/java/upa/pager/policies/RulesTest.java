package upa.pager.policies;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import upa.pager.host.FakeMechanism;
import upa.pager.host.PolicyHost;
import upa.pager.host.PolicySpec;
import upa.policy.PageBatch.Cause;
import upa.policy.PolicyException;
import upa.policy.Pressure;

class RulesTest {
    private static final long SECOND = 1_000_000_000;

    private final FakeMechanism pages = new FakeMechanism(10_000, 100);
    private final List<String> said = new ArrayList<>();
    private final PolicyHost host = new PolicyHost(pages, said::add);

    private void start(String text) {
        host.replace(PolicySpec.parse(text));
    }

    private void add(int... numbers) {
        IntStream.of(numbers).forEach(pages::put);
        host.added(Cause.FIRST_TOUCH, numbers, numbers.length);
    }

    private List<String> at(long tenths) {
        pages.done.clear();
        pages.now = tenths * SECOND / 10;
        host.tick();
        return List.copyOf(pages.done);
    }

    @Test
    void readsAWholeRule() {
        List<Rule> rules = RuleParser.parse("WHEN age>30s and not written and not in file:  "
                + "move to compressed ;quota 64MiB/s;"
                + " goal pressure < 1%; between 10% and 20.5% free; when used: keep");
        assertEquals(
                List.of(
                        new Rule(
                                List.of(
                                        new Rule.Term(Rule.Test.OLDER, false, 30 * SECOND, null),
                                        new Rule.Term(Rule.Test.WRITTEN, true, 0, null),
                                        new Rule.Term(Rule.Test.IN, true, 0, "file")),
                                Rule.Action.MOVE,
                                "compressed",
                                64 << 20,
                                0.01,
                                0.1,
                                0.205),
                        new Rule(
                                List.of(new Rule.Term(Rule.Test.USED, false, 0, null)),
                                Rule.Action.KEEP,
                                null,
                                -1,
                                -1,
                                0,
                                1)),
                rules);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "when|word=2: expected written, used, in or age, it ends there",
                "when cold: evict|word=2: expected written, used, in or age, found cold",
                "when age=3s: evict|word=2: expected written, used, in or age, found age=3s",
                "when age 3s: evict|word=3: expected > or <, found 3s",
                "when age>3: evict|word=4: expected a time, as 30s, found 3",
                "when age>3s evict|word=5: expected :, found evict",
                "when age>3s:|word=6: expected move to, evict, fetch, collapse or keep, it ends there",
                "when age>3s: drop|word=6: expected move to, evict, fetch, collapse or keep, found drop",
                "when age>3s: move file|word=7: expected to, found file",
                "when age>3s: move to|word=8: expected a place, it ends there",
                "when used: evict quota 3M/s|word=5: expected ;, found quota",
                "when used: evict; quota 3X/s|word=7: expected bytes, as 64MiB, found 3x",
                "when used: evict; quota 3M|word=8: expected /s, it ends there",
                "when used: evict; goal pressure<1|word=9: expected a percentage, as 10%, found 1",
                "when used: evict; goal pressure<101%|word=9: expected a percentage, as 10%, found 101%",
                "when used: evict; between 1% and 2%|word=10: expected free, it ends there",
                "when used: evict; always|word=6: expected quota, goal, between or when, found always",
                "when used: evict; quota 3M/s; quota 4M/s|quota is said twice",
                "when used: evict; goal pressure<1%; quota 4M/s; goal pressure<2%|goal is said twice"
            })
    void saysWhereItCannotRead(String text, String message) {
        PolicyException e = assertThrows(PolicyException.class, () -> RuleParser.parse(text));
        assertEquals("cannot read rule=" + text + ": " + message, e.getMessage());
    }

    @Test
    void refusesNothingBetweenAndUnknownPlaces() {
        assertEquals(
                "cannot read rule=when used: evict; between 20% and 10% free: between 20.0% and 10.0% is nothing",
                assertThrows(
                                PolicyException.class,
                                () -> RuleParser.parse("when used: evict; between 20% and 10% free"))
                        .getMessage());
        assertEquals(
                "policy=rules: there is no place=remote for pages; there are memory, lz4, file",
                assertThrows(PolicyException.class, () -> start("when age>1s: move to remote"))
                        .getMessage());
        assertEquals(
                "policy=rules: there is no place=nowhere for pages; there are memory, lz4, file",
                assertThrows(PolicyException.class, () -> start("when in nowhere: fetch"))
                        .getMessage());
    }

    @Test
    void evictsWhatIsOldAndNotWritten() {
        start("when age>30s and not written: move to compressed");
        add(1, 2, 3);
        host.used(Cause.WRITTEN, new int[] {2}, 1);
        assertEquals(List.of(), at(299));
        pages.now = 30 * SECOND;
        host.used(Cause.ACCESSED, new int[] {3}, 1);
        assertEquals(List.of(), at(300));
        assertEquals(List.of("evict 1 to 0"), at(301));
        assertEquals(List.of("evict 3 to 0"), at(601));
        assertEquals(List.of(), at(2000));
    }

    @Test
    void movesOnFromPlaceToPlaceAndBack() {
        start("when in lz4 and age>10s: move to file; when used and in file: fetch; when age>1s: evict");
        add(1);
        assertEquals(List.of("evict 1 to -1"), at(11));
        assertEquals(List.of(), at(50));
        assertEquals(List.of("migrate 1 to 1"), at(101));
    }

    @Test
    void aQuotaHoldsAndIsNotSavedUp() {
        start("when age>1s: evict; quota 40K/s");
        add(IntStream.range(0, 100).toArray());
        at(11);
        assertEquals(10, at(21).size(), "what was not used of an earlier second is lost");
        assertEquals(1, at(22).size());
        assertEquals(5, at(27).size());
    }

    @Test
    void aGoalLowersAndRaisesTheRate() {
        start("when age>1s: evict; quota 400K/s; goal pressure<1%");
        add(IntStream.range(0, 1000).toArray());
        at(10);
        pages.pressure = new Pressure(0.02, 1);
        int last = 200;
        for (int i = 2; i < 8; i++) {
            int now = at(10 * i).size();
            assertEquals(true, now <= last / 2 + 1, now + " after " + last);
            last = now;
        }
        pages.pressure = new Pressure(0.005, 1);
        int before = last;
        for (int i = 8; i < 14; i++) {
            last = at(10 * i).size();
        }
        assertEquals(true, last > before, last + " after " + before);
    }

    /** A goal without a quota is one too: it goes down from what evictions reach, and up to that again. */
    @Test
    void aGoalNeedsNoQuota() {
        start("when age>1s: evict; goal pressure<1%");
        pages.pressure = new Pressure(0.02, 1);
        for (int i = 1; i < 30; i++) {
            at(10 * i);
        }
        add(IntStream.range(0, 1000).toArray());
        int evicted = 0;
        for (int i = 30; i < 40; i++) {
            evicted += at(10 * i).size();
        }
        assertEquals(1, evicted, "a page always fits");
        pages.pressure = new Pressure(0.005, 1);
        for (int i = 40; i < 60; i++) {
            evicted += at(10 * i).size();
        }
        assertEquals(true, evicted > 100, "evicted=" + evicted);
    }

    @Test
    void watermarksSwitchItOnAndOff() {
        start("when age>1s: evict; between 10% and 20% free");
        add(1, 2);
        pages.pressure = new Pressure(0, 0.3);
        assertEquals(List.of(), at(20));
        pages.pressure = new Pressure(0, 0.05);
        assertEquals(List.of(), at(30));
        pages.pressure = new Pressure(0, 0.15);
        assertEquals(List.of("evict 1 to -1", "evict 2 to -1"), at(40));
    }

    @Test
    void keepsWhatItIsToldAndTakesTheRestByAge() {
        start("when written: keep");
        add(1, 2, 3, 4);
        host.used(Cause.WRITTEN, new int[] {2}, 1);
        host.used(Cause.ACCESSED, new int[] {1}, 1);
        assertEquals(3, host.evict(3, true));
        assertEquals(List.of(3, 4, 1), pages.evicted);
        assertEquals(1, host.evict(1, true), "the bound is stronger than a rule");
        assertEquals(List.of(3, 4, 1, 2), pages.evicted);
    }

    @Test
    void aPageThatComesAgainIsNew() {
        start("when written: keep; when age>1s: evict");
        add(1, 2);
        host.used(Cause.WRITTEN, new int[] {1}, 1);
        assertEquals(List.of("evict 2 to -1"), at(20));
        host.gone(Cause.FREED, new int[] {1}, 1);
        add(1);
        assertEquals(List.of(), at(30), "a second old");
        assertEquals(List.of("evict 1 to -1"), at(31), "and not written");
    }

    @Test
    void whatOthersEvictedIsMovedOn() {
        start("when in lz4 and age>1s: move to file");
        add(1);
        pages.evict(1, 0);
        host.gone(Cause.EVICTED, new int[] {1}, 1);
        assertEquals(List.of("migrate 1 to 1"), at(20));
    }

    @Test
    void nothingMovesWhereItIs() {
        start("when age>1s: move to lz4");
        add(1);
        assertEquals(List.of("evict 1 to 0"), at(11));
        assertEquals(List.of(), at(22));
    }

    @Test
    void movesToMemoryAndFetches() {
        for (String action : List.of("move to memory", "fetch")) {
            start("when age>1s: " + action);
            add(1, 2);
            pages.evict(1, 0);
            assertEquals(List.of("fetch 1"), at(pages.now / (SECOND / 10) + 20), action);
        }
    }

    @Test
    void collapsesWholeBlocksOnly() {
        start("when age>1s: collapse");
        add(511, 512, 513, 1024);
        pages.evict(1024, 0);
        assertEquals(List.of("collapse 512"), at(20));
    }

    @Test
    void whatCannotBeEvictedTakesNothingFromTheQuota() {
        start("when age>1s: evict; quota 40K/s");
        add(IntStream.range(0, 20).toArray());
        IntStream.range(0, 10).forEach(page -> pages.pin(page, true));
        assertEquals("evict 10 to -1", at(20).getFirst());
        assertEquals(10, pages.done.size());
    }

    @Test
    void takesNoMoreThanIsWanted() {
        start("when age>100s: evict");
        add(1, 2, 3);
        host.used(Cause.ACCESSED, new int[] {2}, 1);
        assertEquals(1, host.evict(1, true));
        assertEquals(1, host.evict(1, true));
        assertEquals(List.of(1, 3), pages.evicted);
    }

    @Test
    void whatAllIsToBeKeptGoesByAge() {
        start("when written: keep");
        add(1, 2);
        host.used(Cause.WRITTEN, new int[] {1, 2}, 2);
        assertEquals(1, host.evict(1, true));
        assertEquals(List.of(1), pages.evicted);
    }

    @Test
    void limitsOfWhatCanBeSaid() {
        Rule rule = RuleParser.parse("when used: evict; quota 0K/s; between 0% and 100% free")
                .getFirst();
        assertEquals(0, rule.quota());
        assertEquals(1, rule.high());
        rule = RuleParser.parse("when used: evict; between 20% and 20% free").getFirst();
        assertEquals(0.2, rule.low());
        assertEquals(
                "cannot read rule=when used / evict: at character=10",
                assertThrows(PolicyException.class, () -> RuleParser.parse("when used / evict"))
                        .getMessage());
    }
}
