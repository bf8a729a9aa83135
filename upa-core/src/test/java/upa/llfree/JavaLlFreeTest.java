package upa.llfree;

/** The contract, kept by the allocator in Java. */
class JavaLlFreeTest extends LlFreeContract {
    @Override
    Twin newTwin() {
        return new JavaTwin();
    }
}
