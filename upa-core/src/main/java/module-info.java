/**
 * The page allocator of JVM programs, and the control plane of every other: regions of pages allocated in user mode.
 *
 * <p>Calls native code: run with {@code --enable-native-access=upa.core}.
 */
module upa.core {
    requires jdk.jfr;

    exports upa.core;
    exports upa.llfree;
    exports upa.policy;
}
