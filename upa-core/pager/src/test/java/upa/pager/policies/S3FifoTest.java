package upa.pager.policies;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import upa.policy.PageBatch.Cause;
import upa.policy.PolicyException;

/** The three queues of s3-fifo, with a bound of ten pages. */
class S3FifoTest extends PolicyWorld {
    private void gone(Cause cause, int page) {
        host.gone(cause, new int[] {page}, 1);
    }

    @Test
    void promotionNeedsFewerUsesThanAreCounted() {
        start("s3-fifo,most=2,promote=1");
        assertThrows(PolicyException.class, () -> start("s3-fifo,most=2,promote=2"));
    }

    @Test
    void theMainQueueKeepsToItsPart() {
        start("s3-fifo,small=20%");
        add(Cause.FIRST_TOUCH, IntStream.rangeClosed(1, 12).toArray());
        for (int page = 1; page <= 9; page++) {
            use(page, page);
        }
        assertEquals(List.of(1), victims(1), "the ninth in the main queue is one too many");
        assertEquals(List.of(10), victims(1), "eight are not");
        assertEquals(List.of(11), victims(1));
        assertEquals(List.of(2), victims(1), "12 alone is below the small part");
    }

    @Test
    void aUseSavesOnceInTheMainQueue() {
        start("s3-fifo,small=20%");
        add(Cause.RESCUED, 1, 2, 3);
        use(1, 2, 2);
        assertEquals(List.of(3, 1, 2), victims(3));
    }

    @Test
    void onlySoManyGhostsAreRemembered() {
        start("s3-fifo,small=20%,ghost=20%");
        add(Cause.FIRST_TOUCH, 1, 2, 3, 4, 5);
        assertEquals(List.of(1, 2, 3), victims(3));
        add(Cause.FETCHED, 3, 2, 1);
        assertEquals(List.of(4, 5), victims(2), "1 is new again, 2 and 3 have come back");
        assertEquals(List.of(3, 2, 1), victims(3), "the small queue is below its part");
    }

    @Test
    void anEvictedPageIsRememberedAFreedOneIsNot() {
        start("s3-fifo,small=20%");
        add(Cause.FIRST_TOUCH, 1, 2, 3, 4, 5, 6);
        assertEquals(List.of(1, 2), victims(2));
        gone(Cause.EVICTED, 1);
        gone(Cause.FREED, 2);
        add(Cause.FIRST_TOUCH, 2, 1);
        assertEquals(List.of(3, 4, 5, 6), victims(4));
        assertEquals(List.of(1, 2), victims(2), "1 is in the main queue, 2 in the small one, below its part");
    }

    @Test
    void whatIsFreedIsNoVictim() {
        start("s3-fifo,small=20%");
        add(Cause.RESCUED, 1, 2);
        add(Cause.FIRST_TOUCH, 3, 4, 5);
        gone(Cause.FREED, 3);
        gone(Cause.FREED, 1);
        assertEquals(List.of(4, 2), victims(2));
    }
}
