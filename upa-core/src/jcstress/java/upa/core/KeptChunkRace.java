package upa.core;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/**
 * Two threads of one slot take its chunk, and one of them keeps another there: each chunk has one holder. Chunk 1 is
 * kept at first. Results: what the one takes, what the other takes after it has tried to keep chunk 2, and the sum of
 * what is still kept and of chunk 2 if it was not kept.
 */
@JCStressTest
@Outcome(id = "1, 2, 0", expect = ACCEPTABLE, desc = "taken, then kept and taken back")
@Outcome(id = "1, 0, 2", expect = ACCEPTABLE, desc = "there was one already, which the first took")
@Outcome(id = "0, 1, 2", expect = ACCEPTABLE, desc = "there was one already, which the second took")
@Outcome(expect = FORBIDDEN, desc = "a chunk is lost, or has two holders")
@State
public class KeptChunkRace {
    private final Chunks chunks = new Chunks(1);
    private boolean isKept;

    public KeptChunkRace() {
        chunks.keep(0, 1);
    }

    @Actor
    public void take(III_Result r) {
        r.r1 = (int) chunks.take(0);
    }

    @Actor
    public void keepAndTake(III_Result r) {
        isKept = chunks.keep(0, 2);
        r.r2 = (int) chunks.take(0);
    }

    @Arbiter
    public void end(III_Result r) {
        r.r3 = (int) chunks.take(0) + (isKept ? 0 : 2);
    }
}
