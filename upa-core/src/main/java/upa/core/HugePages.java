package upa.core;

/** What a region tells the kernel about transparent huge pages (2 MiB) for its range: madvise(2). */
public enum HugePages {
    /** Nothing: the system's default holds, see {@code /sys/kernel/mm/transparent_hugepage/enabled}. */
    SYSTEM_DEFAULT,
    /** MADV_HUGEPAGE: fewer faults and TLB misses; a first touch of one page then costs clearing 512. */
    ADVISE,
    /** MADV_NOHUGEPAGE: none, whatever the system's default. */
    AVOID
}
