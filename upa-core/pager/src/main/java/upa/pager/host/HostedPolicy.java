package upa.pager.host;

import java.util.BitSet;
import java.util.List;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PageColumn;
import upa.policy.PageList;
import upa.policy.Place;
import upa.policy.PolicyAid;
import upa.policy.PolicyContext;
import upa.policy.PolicyException;
import upa.policy.PolicyOptions;
import upa.policy.PolicyStatistics;
import upa.policy.Pressure;

/** One policy of a host, with its lists, columns and counters: its {@link PolicyContext}. */
final class HostedPolicy implements PolicyContext {
    private static final int MOST_COLUMN_BYTES = 8;

    final PolicySpec.Element element;
    final String name;
    final MemoryPolicy policy;
    /** Proposals that were no-ops. */
    long refused;
    /** Pages that it has been told of, and not yet that they are gone: it may be behind, and is judged by these. */
    final BitSet told = new BitSet();
    /** Calls in a row in which too few victims were proposed. */
    int shortfalls;
    /** Whether its latest proposals ended because too many of them were refused. */
    boolean wasCutShort;
    /** Heap that its callbacks have allocated. Read by the watch. */
    volatile long allocatedBytes;
    /** Why it has to go, or null. */
    String failure;

    private final PolicyHost host;
    private final Mechanism mechanism;
    private final PageLinks links;
    private final Options options;
    private int columnBytes;
    private volatile boolean revoked;

    HostedPolicy(PolicyHost host, Mechanism mechanism, PolicySpec.Element element, MemoryPolicy policy) {
        this.host = host;
        this.mechanism = mechanism;
        this.element = element;
        name = element.name();
        this.policy = policy;
        links = new PageLinks(mechanism.pages());
        options = new Options("policy=" + name, element.options());
    }

    boolean isAid() {
        return policy instanceof PolicyAid;
    }

    /** Whatever the policy asks from now on throws. */
    void revoke() {
        revoked = true;
        links.revoke();
    }

    /** It is told that pages have come, or gone. */
    void told(PageBatch pages, boolean areThere) {
        for (int i = 0; i < pages.size(); i++) {
            told.set(pages.page(i), areThere);
        }
    }

    void checkOptions() {
        options.checkAllAsked();
    }

    private Mechanism valid() {
        if (revoked || host.isAbandoned()) {
            throw new RevokedException();
        }
        return mechanism;
    }

    @Override
    public int pages() {
        return valid().pages();
    }

    @Override
    public int boundPages() {
        return valid().boundPages();
    }

    @Override
    public int residentPages() {
        return valid().residentPages();
    }

    @Override
    public boolean isResident(int page) {
        return page >= 0 && page < valid().pages() && mechanism.isResident(page);
    }

    @Override
    public Place placeOf(int page) {
        int place = page >= 0 && page < valid().pages() ? mechanism.placeOf(page) : -1;
        return place < 0 ? null : mechanism.places().get(place);
    }

    @Override
    public long nanoTime() {
        return valid().nanoTime();
    }

    @Override
    public PolicyOptions options() {
        return options;
    }

    @Override
    public List<Place> places() {
        return valid().places();
    }

    @Override
    public PolicyStatistics statistics() {
        valid();
        return host.statistics();
    }

    @Override
    public Pressure pressure() {
        return valid().pressure();
    }

    @Override
    public PageList list() {
        return links.list();
    }

    @Override
    public int mark(int page) {
        return links.mark(page);
    }

    @Override
    public void mark(int page, int value) {
        links.mark(page, value);
    }

    @Override
    public PageColumn column(int bytes) {
        Column column;
        try {
            column = new Column(mechanism.pages(), bytes);
        } catch (IllegalArgumentException e) {
            throw new PolicyException("policy=" + name + ": " + e.getMessage());
        }
        if (columnBytes + bytes > MOST_COLUMN_BYTES) {
            throw new PolicyException("policy=" + name + " has columns of bytes=" + (columnBytes + bytes)
                    + " a page, the most is " + MOST_COLUMN_BYTES);
        }
        columnBytes += bytes;
        return column;
    }
}
