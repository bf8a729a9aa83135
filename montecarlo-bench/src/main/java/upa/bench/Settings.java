package upa.bench;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import upa.bench.driver.Contestant;
import upa.bench.driver.Experiment;

/**
 * What the user asks for.
 *
 * @param full everything, and with more rounds
 * @param experiments in order
 * @param samplers of the ring, and trace:FILE of replays
 * @param contestants whom to measure
 * @param rounds repetitions
 * @param seed of the order of jobs and of the samplers
 * @param largest the largest block, in bytes
 * @param hold memory to make host-warm, in bytes; 0: none
 * @param jmh whether the JMH benchmarks run as well
 * @param driver the C driver
 * @param out the folder of the results
 */
record Settings(
        boolean full,
        Set<Experiment> experiments,
        List<String> samplers,
        List<Contestant> contestants,
        int rounds,
        long seed,
        long largest,
        long hold,
        boolean jmh,
        Path driver,
        Path out) {}
