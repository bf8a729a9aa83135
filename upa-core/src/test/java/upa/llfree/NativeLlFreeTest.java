package upa.llfree;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.BeforeAll;
import upa.internal.bindings.NativeLibrary;

/** The contract, kept by the allocator in libupa.so. */
class NativeLlFreeTest extends LlFreeContract {
    @BeforeAll
    static void load() {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary::whyNot);
    }

    @Override
    Twin newTwin() {
        return new NativeTwin();
    }
}
