package upa.core;

import java.lang.foreign.Arena;

/** {@link PageArena#ofShared} as an arena. */
class SharedPageArenaTest extends PageArenaContract {
    @Override
    Arena open() {
        return PageArena.ofShared(region);
    }

    @Override
    boolean isConfined() {
        return false;
    }
}
