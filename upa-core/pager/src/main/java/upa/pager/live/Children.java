package upa.pager.live;

import java.util.ArrayList;
import java.util.List;
import upa.pager.posix.Posix;

/** The forked children of a process that still have pages outside of memory. Belongs to the session's thread. */
final class Children {
    /** More than these get all their pages when they are forked. */
    static final int MOST = (Wire.MOST_KEPT - Wire.FIRST_CHILD) / 2;

    private final PagedProcess process;
    private final FaultServer faults;
    private final List<ForkedChild> children = new ArrayList<>();
    private final boolean[] taken = new boolean[MOST];
    private int changes;

    Children(PagedProcess process, FaultServer faults) {
        this.process = process;
        this.faults = faults;
    }

    boolean isEmpty() {
        return children.isEmpty();
    }

    /** Differs from before if {@link #descriptors} does. */
    int changes() {
        return changes;
    }

    /** {@return what can be read when one of them needs something} */
    int[] descriptors() {
        return children.stream().mapToInt(ForkedChild::fd).toArray();
    }

    /** Whether a slot is still needed by one that inherited it as that of a page. */
    boolean hold(int page, long word) {
        for (ForkedChild child : children) {
            if (child.holds(page, word)) {
                return true;
            }
        }
        return false;
    }

    /**
     * Takes over a child that has just been forked.
     *
     * @param fd its userfaultfd
     * @param of the child whose child it is, or null if it is that of the process
     */
    void forked(int fd, ForkedChild of) {
        int number = free();
        // Of a child whose child it is, others may be looked at just now.
        if (number == MOST && of == null) {
            removeEnded();
            number = free();
        }
        ForkedChild child = made(number, fd);
        child.inherit(of);
        if (number == MOST) {
            child.fill();
        }
        if (child.isOver()) {
            bornFree(of, child);
            return;
        }
        taken[number] = true;
        children.add(child);
        changes++;
        try {
            // First: what a pager has assured of, another must find.
            process.client.born(member(of), number, child.fd(), child.file());
        } catch (Client.GoneException e) {
            // The session finds out. Nobody keeps it then.
            process.wake();
        }
        child.assure();
    }

    /** The child of a member needs nothing more, and may run. */
    private void bornFree(ForkedChild of, ForkedChild child) {
        child.assure();
        child.close();
        try {
            process.client.bornFree(member(of));
        } catch (Client.GoneException e) {
            process.wake();
        }
    }

    /** The process is 0. */
    private static int member(ForkedChild of) {
        return of == null ? 0 : of.number + 1;
    }

    /**
     * A child may have been forked as the pager before died, and that one's userfaultfd is gone: it gets all its pages
     * by the client's before it runs.
     *
     * @param told whether that pager has read of it
     */
    void bear(ForkedChild of, boolean told) throws Client.GoneException {
        Client.Unborn unborn = process.client.unborn(member(of));
        if (unborn.fd() < 0) {
            if (told && unborn.result() == Wire.UNBORN_UNKNOWN) {
                process.log("a child was forked when the pager was killed: it is lost");
            }
            return;
        }
        if (!told && unborn.result() != Wire.UNBORN_TOLD) {
            // The kernel will say so.
            Posix.close(unborn.fd());
            return;
        }
        ForkedChild child = made(MOST, unborn.fd());
        child.register(of);
        child.inherit(of);
        child.fill();
        bornFree(of, child);
    }

    private ForkedChild made(int number, int fd) {
        ForkedChild child = ForkedChild.forked(process, faults, this, number, fd);
        if (child == null) {
            Posix.close(fd);
            throw new IllegalStateException("no memory for what a child inherits");
        }
        return child;
    }

    /** A number that none has, or MOST. */
    private int free() {
        int number = 0;
        while (number < MOST && taken[number]) {
            number++;
        }
        return number;
    }

    /** The kernel says nothing of those that have ended. */
    private void removeEnded() {
        for (ForkedChild child : List.copyOf(children)) {
            if (child.hasEnded()) {
                remove(child);
            }
        }
    }

    private void keepNoMore(ForkedChild child) {
        try {
            process.client.keep(Wire.FIRST_CHILD + 2 * child.number, -1);
            process.client.keep(Wire.FIRST_CHILD + 2 * child.number + 1, -1);
        } catch (Client.GoneException e) {
            process.wake();
        }
    }

    /** Finds those again that a pager before has left. */
    void adopt() {
        int[] kept = process.hello.kept();
        for (int i = 0; i < MOST; i++) {
            int fd = kept[Wire.FIRST_CHILD + 2 * i];
            int file = kept[Wire.FIRST_CHILD + 2 * i + 1];
            if (fd < 0 || file < 0) {
                continue;
            }
            ForkedChild child = ForkedChild.kept(process, faults, this, i, fd, file);
            if (child == null) {
                process.complain("no memory for what a child inherits: it reads zeros");
                continue;
            }
            kept[Wire.FIRST_CHILD + 2 * i] = -1;
            kept[Wire.FIRST_CHILD + 2 * i + 1] = -1;
            child.adopt();
            child.assure();
            taken[i] = true;
            children.add(child);
            changes++;
        }
    }

    void heedKept() throws Client.GoneException {
        for (ForkedChild child : List.copyOf(children)) {
            child.heedKept();
        }
    }

    /** Does what they need. */
    void serve() {
        for (ForkedChild child : List.copyOf(children)) {
            child.serve();
            if (child.isOver()) {
                remove(child);
            }
        }
    }

    /** Gives them a page whose slot is about to have another number. */
    void bring(int page) {
        // Meanwhile one may fork.
        List.copyOf(children).forEach(c -> c.bring(page));
    }

    /** Gives them all they have outside of memory: nobody is left to keep it. */
    void fill() {
        while (!children.isEmpty()) {
            ForkedChild child = children.getFirst();
            child.fill();
            remove(child);
        }
    }

    private void remove(ForkedChild child) {
        children.remove(child);
        changes++;
        taken[child.number] = false;
        keepNoMore(child);
        child.close();
    }
}
