package upa.pager.policies;

import java.util.Locale;
import upa.policy.Actions;
import upa.policy.MemoryPolicy;
import upa.policy.PlacementRule;
import upa.policy.PolicyAid;
import upa.policy.PolicyContext;
import upa.policy.PolicyException;
import upa.policy.PolicyInfo;

/**
 * Fills the placement table: huge pages, page frames in groups of eight (PTEMagnet: Margaritov and others, ASPLOS
 * 2021), or contiguous ranges (FBMM: Tabatabai and others, USENIX ATC 2024) for requests of a size. Frames can be
 * chosen on the kernel module only; elsewhere the table says that it cannot be done, once, in the statistics of
 * refused proposals.
 */
@PolicyInfo(
        name = "placement",
        summary = "huge pages, groups of 8 frames or contiguous frames by size of request",
        options = {
            "kind=huge: huge, groups-of-8 or contiguous",
            "from=2M: smallest request",
            "to=1T: size from which on requests are left alone"
        },
        api = MemoryPolicy.API)
public final class Placement implements PolicyAid {
    private PlacementRule rule;

    /** Makes one. */
    public Placement() {}

    @Override
    public void attach(PolicyContext c) {
        String kind = c.options().text("kind", "huge");
        long from = c.options().bytes("from", 2 << 20, 0, 1L << 40);
        long to = c.options().bytes("to", 1L << 40, 1, 1L << 40);
        PlacementRule.Kind value = switch (kind.toLowerCase(Locale.ROOT)) {
            case "huge" -> PlacementRule.Kind.HUGE;
            case "groups-of-8" -> PlacementRule.Kind.GROUPS_OF_8;
            case "contiguous" -> PlacementRule.Kind.CONTIGUOUS;
            default ->
                throw new PolicyException(
                        "policy=placement option=kind has value=" + kind + ", needs huge, groups-of-8 or contiguous");
        };
        if (from >= to) {
            throw new PolicyException("policy=placement covers no size: from=" + from + " to=" + to);
        }
        rule = new PlacementRule(from, to, value);
    }

    @Override
    public void tick(Actions actions) {
        if (rule != null) {
            actions.place(rule);
            rule = null;
        }
    }
}
