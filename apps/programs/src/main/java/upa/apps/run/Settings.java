package upa.apps.run;

import java.nio.file.Path;
import java.util.List;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocator;

/**
 * What the user asks for, and where things are.
 *
 * @param workloads in order
 * @param contestants in order, the base line first
 * @param rounds repetitions of all
 * @param mostRounds repetitions of those whose speed is not settled by then; {@code rounds} or more
 * @param seed of the order of runs
 * @param hold memory to make host-warm, in bytes; 0: none
 * @param profile whether one run each under the base line and under UPA is profiled
 * @param resume whether to go on with the run whose file lies in {@code out}
 * @param out folder of the results
 * @param tools where upa-measure and upa-driver are
 * @param libraries where this project's libraries are
 * @param work folder for prepared data and running programs
 */
public record Settings(
        List<Workload> workloads,
        List<Allocator> contestants,
        int rounds,
        int mostRounds,
        long seed,
        long hold,
        boolean profile,
        boolean resume,
        Path out,
        Path tools,
        Path libraries,
        Path work) {}
