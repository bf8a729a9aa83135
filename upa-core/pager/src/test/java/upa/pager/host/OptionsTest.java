package upa.pager.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import upa.policy.PolicyException;

class OptionsTest {
    private static Options of(String value) {
        return new Options("policy=x", Map.of("k", value));
    }

    private static final Options NONE = new Options("policy=x", Map.of());

    private static void refused(String message, Executable read) {
        assertEquals(message, assertThrows(PolicyException.class, read).getMessage());
    }

    @Test
    void readsCounts() {
        assertEquals(7, of("7").count("k", 1, 0, 10));
        assertEquals(1, NONE.count("k", 1, 0, 10));
        for (String wrong : new String[] {"", "-1", "11", "x", "1.5", "99999999999"}) {
            refused(
                    "policy=x option=k has value=" + wrong + ", needs a whole number from 0 to 10",
                    () -> of(wrong).count("k", 1, 0, 10));
        }
    }

    @Test
    void readsFractions() {
        assertEquals(0.1, of("10%").fraction("k", 1, 0, 1));
        assertEquals(0.25, of("0.25").fraction("k", 1, 0, 1));
        assertEquals(0.0005, of("0.05%").fraction("k", 1, 0, 1));
        assertEquals(0.5, NONE.fraction("k", 0.5, 0, 1));
        for (String wrong : new String[] {"", "101%", "1.5", "-3%", "%", "1e3"}) {
            refused(
                    "policy=x option=k has value=" + wrong + ", needs a part from 0% to 100%",
                    () -> of(wrong).fraction("k", 1, 0, 1));
        }
        assertEquals(0.001, of("0.1%").fraction("k", 1, 0.001, 0.5));
        assertEquals(0.5, of("50%").fraction("k", 1, 0.001, 0.5));
        refused(
                "policy=x option=k has value=1, needs a part from 0.1% to 50%",
                () -> of("1").fraction("k", 1, 0.001, 0.5));
    }

    @Test
    void readsBytes() {
        assertEquals(4096, of("4096").bytes("k", 1, 0, 1 << 30));
        assertEquals(64 << 10, of("64K").bytes("k", 1, 0, 1 << 30));
        assertEquals(2 << 20, of("2MiB").bytes("k", 1, 0, 1 << 30));
        assertEquals(1 << 30, of("1g").bytes("k", 1, 0, 1 << 30));
        assertEquals(7, NONE.bytes("k", 7, 0, 1));
        assertEquals(4096, of("4K").bytes("k", 1, 4096, 8192));
        assertEquals(8192, of("8K").bytes("k", 1, 4096, 8192));
        assertEquals(3L << 40, Options.parseBytes("3TB"));
        assertEquals(8388607L << 40, Options.parseBytes("8388607T"));
        assertEquals(-1, Options.parseBytes("8388608T"));
        assertEquals(5, Options.parseBytes("5B"));
        assertEquals(-1, Options.parseBytes("9000000T"));
        for (String wrong : new String[] {"", "K", "1.5M", "2P", "-1", "2G"}) {
            refused(
                    "policy=x option=k has value=" + wrong + ", needs bytes from 0 to 1073741824, as 64K, 2M or 1G",
                    () -> of(wrong).bytes("k", 1, 0, 1 << 30));
        }
    }

    @Test
    void readsTimes() {
        assertEquals(Duration.ofMillis(100), Options.parseDuration("100ms"));
        assertEquals(Duration.ofSeconds(30), Options.parseDuration("30s"));
        assertEquals(Duration.ofMinutes(5), Options.parseDuration("5m"));
        assertEquals(Duration.ofHours(1), Options.parseDuration("1h"));
        assertNull(Options.parseDuration("1"));
        assertNull(Options.parseDuration("s"));
        assertEquals(
                Duration.ofSeconds(2),
                of("2s").duration("k", Duration.ZERO, Duration.ofMillis(100), Duration.ofHours(1)));
        for (String bound : new String[] {"100ms", "1h"}) {
            assertEquals(
                    Options.parseDuration(bound),
                    of(bound).duration("k", Duration.ZERO, Duration.ofMillis(100), Duration.ofHours(1)));
        }
        assertEquals(Duration.ofDays(1), NONE.duration("k", Duration.ofDays(1), Duration.ZERO, Duration.ofHours(1)));
        refused(
                "policy=x option=k has value=2h, needs a time from 100ms to 3600s, as 100ms, 30s or 5m",
                () -> of("2h").duration("k", Duration.ZERO, Duration.ofMillis(100), Duration.ofHours(1)));
    }

    @Test
    void readsFlagsAndText() {
        assertTrue(of("on").flag("k", false));
        assertFalse(of("off").flag("k", true));
        assertTrue(NONE.flag("k", true));
        assertFalse(NONE.flag("k", false));
        refused(
                "policy=x option=k has value=yes, needs on or off",
                () -> of("yes").flag("k", true));
        assertEquals("yes", of("yes").text("k", "no"));
        assertEquals("no", NONE.text("k", "no"));
    }

    @Test
    void whatNobodyAskedForIsAnError() {
        Options options = of("1");
        refused("policy=x has no option=k; it has none", options::checkAllAsked);
        options.count("a", 1, 0, 1);
        options.count("b", 1, 0, 1);
        refused("policy=x has no option=k; it has a, b", options::checkAllAsked);
        options.count("k", 1, 0, 1);
        options.checkAllAsked();
    }
}
