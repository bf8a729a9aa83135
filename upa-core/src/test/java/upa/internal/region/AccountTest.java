package upa.internal.region;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class AccountTest {
    private static final long KIB = 1 << 10;
    private static final long MIB = 1 << 20;

    private final Account account = new Account(4);

    @Test
    void whileNothingIsKnownTwoMebibytesAreLookedAt() {
        assertFalse(account.freed(0, 2 * MIB - 1));
        assertEquals(0, account.freed());
        assertTrue(account.freed(0, 1));
        assertEquals(2 * MIB, account.freed());
    }

    /** As long as it may be what was kept. */
    @Test
    void whatIsTakenAndFreedAgainIsNoChange() {
        account.looked(20 * MIB, 20 * MIB);
        for (int i = 0; i < 100; i++) {
            account.took(0, 10 * MIB);
            assertFalse(account.freed(0, 10 * MIB));
        }
        account.took(1, 20 * MIB);
        assertFalse(account.freed(2, 20 * MIB), "by another thread");
        assertTrue(account.freed(2, 2 * MIB));
    }

    @Test
    void whoeverTakesMoreThanIsKeptFreesMoreThanWasKept() {
        account.took(0, 75 * MIB);
        assertTrue(account.freed(0, 2 * MIB));
        account.looked(20 * MIB, 15 * MIB);
        account.took(1, 40 * MIB);
        account.took(2, 40 * MIB);
        assertFalse(account.freed(0, 20 * MIB));
        assertEquals(5 * MIB, account.freed());
        assertTrue(account.freed(0, 2 * MIB));
    }

    /** An eighth of what may stay is a step, within bounds; when more is freed than there is room for, it says so. */
    @Test
    void stepsAreAnEighthOfWhatMayStay() {
        account.looked(8 * MIB, 6 * MIB);
        assertFalse(account.freed(0, MIB - 1));
        assertFalse(account.freed(1, MIB), "there is room for it");
        assertFalse(account.freed(1, MIB), "and for that");
        assertTrue(account.freed(0, 1), "not for that");
        account.looked(64 * MIB, 100 * MIB);
        assertFalse(account.freed(0, 2 * MIB - 1));
        assertTrue(account.freed(0, 1));
        account.looked(0, 0);
        assertFalse(account.freed(0, 256 * KIB - 1));
        assertTrue(account.freed(0, 1));
    }

    @Test
    void aLookBeginsAnew() {
        account.looked(8 * MIB, 8 * MIB);
        assertFalse(account.freed(0, MIB - 1));
        account.looked(8 * MIB, 8 * MIB);
        assertFalse(account.freed(0, MIB - 1));
        assertTrue(account.freed(0, MIB));
        account.looked(8 * MIB, 6 * MIB);
        assertFalse(account.freed(1, 2 * MIB));
        account.looked(8 * MIB, 6 * MIB);
        assertFalse(account.freed(1, 2 * MIB));
        assertTrue(account.freed(1, MIB));
    }

    /** What takes a program longer than the looks by the clock are apart. */
    @Test
    void whereThereIsMuchRoomNobodyNeedLook() {
        account.looked(Account.FAR + 10 * MIB, 10 * MIB);
        assertFalse(account.freed(0, Account.FAR));
        assertTrue(account.freed(0, 2 * MIB));
        account.looked(Account.FAR + 10 * MIB + 1, 10 * MIB);
        assertFalse(account.freed(0, 10 * Account.FAR));
        assertEquals(0, account.freed());
        account.begin();
        assertTrue(account.freed(0, 2 * MIB));
        account.end();
        assertFalse(account.freed(0, 10 * Account.FAR));
    }
}
