package upa.bench.driver;

import java.util.List;

/**
 * One run of the driver, repeated in every round.
 *
 * @param experiment what for
 * @param contestant whom
 * @param variant what else tells it from other jobs of the experiment, such as the mode or the sampler; may be empty
 * @param threads that run at once
 * @param rounds how often at most
 * @param arguments of the driver, besides contestant, seed and threads
 */
public record Job(
        Experiment experiment,
        Contestant contestant,
        String variant,
        int threads,
        int rounds,
        List<String> arguments) {}
