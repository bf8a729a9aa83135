package upa.pager.live;

import java.util.List;
import java.util.concurrent.CompletionException;
import upa.pager.device.DeviceException;
import upa.pager.host.PolicySpec;
import upa.policy.PolicyException;
import upa.policy.PolicyStatistics;

/** What a pager answers to commands of {@code upa policy} for a process that has handed it regions of the device. */
final class RegionAnswers {
    private static final String MEMORY = "memory=";

    private RegionAnswers() {}

    /** A line of {@code status}. */
    static String status(RegionRun run) {
        DevicePager pager = run.pager();
        return PagerReport.line(
                run.pid(),
                run.name(),
                pager.policyText(),
                pager.bound(),
                pager.resident(),
                pager.outside(),
                pager.problem().isEmpty() ? "a region of the device" : "a region of the device; " + pager.problem());
    }

    /**
     * An answer, which begins with an exit status. What is asked for holds for all its regions.
     *
     * @param runs of one process, at least one
     * @param what the command
     * @param rest what follows the number of the process
     */
    static String answer(List<RegionRun> runs, String what, String rest) {
        try {
            switch (what) {
                case "stats" -> {
                    return "0\n"
                            + String.join(
                                    "",
                                    runs.stream().map(RegionAnswers::statistics).toList());
                }
                case "set" -> {
                    PolicySpec policy = PolicySpec.parse(rest);
                    for (RegionRun run : runs) {
                        run.pager().policy(policy).join();
                    }
                    return "0\n";
                }
                case "limit" -> {
                    if (!rest.startsWith(MEMORY) || rest.contains(" ")) {
                        break;
                    }
                    for (RegionRun run : runs) {
                        run.pager().limit(Long.parseLong(rest.substring(MEMORY.length())));
                    }
                    return "0\n";
                }
                default -> {}
            }
            return "1\npid=" + runs.getFirst().pid() + " has regions of the device alone: for them there are status,"
                    + " stats, set, and limit --memory";
        } catch (PolicyException | DeviceException e) {
            return "1\n" + e.getMessage();
        } catch (CompletionException e) {
            return "1\n" + (e.getCause() instanceof PolicyException p ? p.getMessage() : e.getCause());
        }
    }

    private static String statistics(RegionRun run) {
        DevicePager pager = run.pager();
        PolicyStatistics p = pager.statistics();
        return ProcessFigure.BOUND.line(pager.bound())
                + ProcessFigure.RESIDENT.line(pager.resident())
                + ProcessFigure.OUTSIDE.line(pager.outside())
                + ProcessFigure.FAULTS.line(p.faults())
                + ProcessFigure.REFAULTS.line(p.refaults())
                + ProcessFigure.FIRST_TOUCHES.line(p.firstTouches())
                + ProcessFigure.RESCUES.line(p.rescues())
                + ProcessFigure.EVICTIONS.line(p.evictions())
                + ProcessFigure.line("  of these at no cost, unwritten since", pager.dropped())
                + ProcessFigure.PREFETCHES.line(p.prefetches())
                + ProcessFigure.REFUSED_PROPOSALS.line(p.refused());
    }
}
