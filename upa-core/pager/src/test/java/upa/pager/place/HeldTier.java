package upa.pager.place;

import java.util.concurrent.CompletableFuture;
import upa.pager.store.PageIo;

/** A store whose answers to its first reader or writer wait for a word of the test. */
final class HeldTier extends PassingTier {
    final CompletableFuture<Void> word = new CompletableFuture<>();
    private boolean first = true;

    HeldTier(Tier tier) {
        super(tier);
    }

    private CompletableFuture<PageIo> hold(CompletableFuture<PageIo> answer) {
        boolean held = first;
        first = false;
        return held ? word.thenCompose(said -> answer) : answer;
    }

    @Override
    public CompletableFuture<PageIo> detach(int[] pages, PageIo io) {
        return hold(tier.detach(pages, io));
    }

    @Override
    public CompletableFuture<PageIo> accept(int[] pages, PageIo io) {
        return hold(tier.accept(pages, io));
    }
}
