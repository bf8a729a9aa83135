package upa.core;

/** How the pages of a {@link Region} come by memory. */
public enum BackEnd {
    /**
     * Ordinary memory of the kernel's, which it puts behind a page on first touch; page i is always at base + i * 4096.
     */
    LINEAR("linear"),
    /**
     * The kernel module upa.ko, guarded: the process has a pool of page frames and says which frame stands at which
     * page; the kernel checks that and installs it. A touch of a page that no frame stands at, hence of one that is
     * free, is a SIGBUS: in Java code an {@link InternalError}, in native code the end of the process.
     */
    PTE("pte"),
    /**
     * The same module in its raw mode: the process stores the hardware's page table entries itself. It could then reach
     * all memory of the machine: for trusted machines and virtual ones.
     */
    PTE_RAW("pte-raw");

    private final String name;

    BackEnd(String name) {
        this.name = name;
    }

    /** {@return the name in messages and documentation} */
    @Override
    public String toString() {
        return name;
    }
}
