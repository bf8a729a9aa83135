package upa.pager.place;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import upa.pager.store.PageIo;

/** A tier that fails for a quarter of the pages. */
final class FlakyTier extends PassingTier {
    private final int place;

    FlakyTier(int place, Tier tier) {
        super(tier);
        this.place = place;
    }

    private PageIo spoil(PageIo io, Tier undo) {
        for (int i = 0; i < io.count(); i++) {
            if (io.result(i) == PageIo.Result.OK && ThreadLocalRandom.current().nextInt(4) == 0) {
                if (undo != null) {
                    undo.release(0, PlaceWord.of(place, 0, io.slot(i)));
                }
                io.result(i, PageIo.Result.UNREACHABLE);
            }
        }
        return io;
    }

    @Override
    public CompletableFuture<PageIo> detach(int[] pages, PageIo io) {
        return tier.detach(pages, io).thenApply(done -> spoil(done, null));
    }

    @Override
    public CompletableFuture<PageIo> accept(int[] pages, PageIo io) {
        return tier.accept(pages, io).thenApply(done -> spoil(done, tier));
    }
}
