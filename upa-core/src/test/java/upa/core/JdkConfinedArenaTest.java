package upa.core;

import java.lang.foreign.Arena;

/** The reference: what the JDK's own arena does. */
class JdkConfinedArenaTest extends ArenaContract {
    @Override
    Arena open() {
        return Arena.ofConfined();
    }

    @Override
    boolean isConfined() {
        return true;
    }
}
