package upa.pager.place;

/** In front of another tier: what is moved away from there, or stays, is that one's business. */
abstract class PassingTier implements Tier {
    final Tier tier;

    PassingTier(Tier tier) {
        this.tier = tier;
    }

    @Override
    public void release(int page, long word) {
        tier.release(page, word);
    }

    @Override
    public void restore(int page, long word) {
        tier.restore(page, word);
    }
}
