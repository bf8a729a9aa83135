package upa.core;

import java.lang.foreign.Arena;

/** {@link PageArena#ofConfined} as an arena. */
class ConfinedPageArenaTest extends PageArenaContract {
    @Override
    Arena open() {
        return PageArena.ofConfined(region);
    }

    @Override
    boolean isConfined() {
        return true;
    }
}
