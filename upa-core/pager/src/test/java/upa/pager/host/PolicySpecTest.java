package upa.pager.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import upa.policy.PolicyException;

class PolicySpecTest {
    @Test
    void readsNamesOptionsAndSeveralPolicies() {
        PolicySpec spec = PolicySpec.parse("stride,most=8+s3-fifo,small=5%,ghost=50%");
        assertEquals(2, spec.elements().size());
        assertEquals(
                new PolicySpec.Element("stride", Map.of("most", "8")),
                spec.elements().get(0));
        assertEquals(
                new PolicySpec.Element("s3-fifo", Map.of("small", "5%", "ghost", "50%")),
                spec.elements().get(1));
        PolicySpec jar = PolicySpec.parse("/tmp/a.jar:x.Y,k=a=b");
        assertTrue(jar.elements().getFirst().isInJar());
        assertEquals(Map.of("k", "a=b"), jar.elements().getFirst().options());
    }

    @Test
    void aRuleGoesOnToTheEnd() {
        PolicySpec spec = PolicySpec.parse("huge + when age>30s, x+y: evict");
        assertEquals("huge", spec.elements().get(0).name());
        assertEquals(
                new PolicySpec.Element("rules", Map.of("rules", "when age>30s, x+y: evict")),
                spec.elements().get(1));
    }

    @ParameterizedTest
    @ValueSource(strings = {"clock", "stride,most=8+sieve", "when age>30s: evict", "huge+when age>30s: evict"})
    void isWrittenAsItIsRead(String text) {
        assertEquals(text, PolicySpec.parse(text).text());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''|no policy named: policy=",
                "clock+|no policy behind the last +: policy=clock+",
                "+clock|not a name of a policy: name= in policy=+clock",
                "Clock!|not a name of a policy: name=Clock! in policy=Clock!",
                "clock,chances|not an option, key=value, of policy=clock: option=chances",
                "clock,=3|not an option, key=value, of policy=clock: option==3",
                "clock,|not an option, key=value, of policy=clock: option=",
                "clock,a=1,a=2|given twice: option=a of policy=clock"
            })
    void refusesWhatItCannotRead(String text, String message) {
        assertEquals(
                message,
                assertThrows(PolicyException.class, () -> PolicySpec.parse(text))
                        .getMessage());
    }
}
