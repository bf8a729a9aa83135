package upa.pager.live;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;

/** What the user has asked to be moved, one after the other. Belongs to one thread, but for {@link #add}. */
final class MoveRequests {
    /** All pages of one store, to another. Indices are of the chain. */
    static final class Request {
        final int from;
        final int to;
        final CompletableFuture<String> done = new CompletableFuture<>();
        /** Pages below it have been looked at; -1: all have. */
        int cursor;
        /** How many have moved. */
        long moved;
        /** Batches of which nothing has been taken, and which are tried again. */
        int refusals;

        private Request(int from, int to) {
            this.from = from;
            this.to = to;
        }
    }

    private final Queue<Request> incoming = new ConcurrentLinkedQueue<>();
    private final ArrayDeque<Request> requests = new ArrayDeque<>();

    /** Adds one, from any thread; what is returned is done when it is. */
    CompletableFuture<String> add(int from, int to) {
        Request request = new Request(from, to);
        incoming.add(request);
        return request.done;
    }

    /** Sees what has been added: nothing else does. */
    void look() {
        for (Request r = incoming.poll(); r != null; r = incoming.poll()) {
            requests.add(r);
        }
    }

    boolean isEmpty() {
        return requests.isEmpty();
    }

    /** The first one, or null. */
    Request first() {
        return requests.peek();
    }

    /** All pages of a request have been looked at. */
    void finish(Request request) {
        requests.remove(request);
        request.done.complete("moved pages=" + request.moved);
    }

    /** A request cannot go on. */
    void fail(Request request, String why) {
        requests.remove(request);
        request.done.completeExceptionally(new PagerException(why));
    }

    /** The session is over: nobody waits any longer. */
    void end() {
        look();
        requests.forEach(r -> r.done.completeExceptionally(new PagerException("the process has ended")));
    }
}
