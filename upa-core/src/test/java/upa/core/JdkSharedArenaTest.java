package upa.core;

import java.lang.foreign.Arena;

/** The reference: what the JDK's own arena does. */
class JdkSharedArenaTest extends ArenaContract {
    @Override
    Arena open() {
        return Arena.ofShared();
    }

    @Override
    boolean isConfined() {
        return false;
    }
}
