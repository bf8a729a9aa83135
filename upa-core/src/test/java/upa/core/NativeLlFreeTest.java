package upa.core;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.BeforeAll;

/** The contract, kept by the allocator in libupa.so. */
class NativeLlFreeTest extends LlFreeContract {
    @BeforeAll
    static void load() {
        assumeTrue(NativeTwin.isAvailable(), NativeTwin::whyNot);
    }

    @Override
    Twin newTwin() {
        return new NativeTwin();
    }
}
