package upa.pager.live;

import java.util.List;
import java.util.function.Consumer;
import upa.pager.host.PolicySpec;
import upa.pager.host.PolicyThread;
import upa.pager.host.PolicyWatch;
import upa.policy.Place;
import upa.policy.PolicyContext;
import upa.policy.PolicyException;

/** Tries policies before a program relies on them: their names, options and constructors, and what attach says. */
final class PolicyTrial {
    private PolicyTrial() {}

    /**
     * Tries them on a few pages that are nobody's, in a thread of its own.
     *
     * @param places of the stores
     * @param group  of whatever threads a policy starts
     * @throws PolicyException if they cannot be had
     * @throws PagerException  if that cannot be said
     */
    static void run(PolicySpec policy, List<Place> places, PolicyWatch watch, Consumer<String> log, ThreadGroup group)
            throws PagerException {
        Throwable[] failure = new Throwable[1];
        Thread attempt = Thread.ofPlatform()
                .group(group)
                .daemon()
                .name("attempt")
                .unstarted(() -> {
                    LiveMechanism nobodys = new LiveMechanism(
                            new PageStates(PolicyContext.BLOCK_PAGES),
                            places,
                            new Counters(),
                            PolicyContext.BLOCK_PAGES,
                            () -> {});
                    try {
                        new PolicyThread(nobodys, policy, watch, log).close();
                    } catch (Throwable t) {
                        failure[0] = t;
                    }
                });
        attempt.start();
        try {
            attempt.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new PagerException("the pager ends");
        }
        if (failure[0] instanceof PolicyException e) {
            throw e;
        }
        if (failure[0] != null) {
            throw new PagerException("cannot try policy=" + policy.text() + ": " + failure[0]);
        }
    }
}
