package upa.bench.driver;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** What is measured: one question each. The plan says with which contestants and sizes. */
public enum Experiment {
    /** Allocate, touch, free by size. */
    SIZES(
            "a",
            "Allocate, touch every page, free: by size",
            "Pages that stay mapped are allocated again without the kernel: the paper promises \"a 100x performance"
                    + " improvement or more in some common use cases\".",
            "An operation allocates one block, writes one byte to each of its pages, and frees it. Warm: the block"
                    + " before has just been freed, so UPA recycles populated pages. Cold: all memory was given back to"
                    + " the kernel first, so every page is a first acquisition. Cleared blocks read zero, as the"
                    + " kernel's"
                    + " do; uncleared ones may show old bytes of the same process."),
    /** Allocate and free alone. */
    SCALE(
            "b",
            "Scale invariance: allocate and free alone",
            "The paper promises an \"allocator performance invariant to the amount of memory being allocated or"
                    + " freed\".",
            "An operation allocates one block and frees it, and does not touch it. UPA's blocks were written to"
                    + " before, so the memory is there; the kernel's mmap only promises memory, and MAP_POPULATE"
                    + " delivers"
                    + " it. The slope is that of log time over log size: 0 where the size does not matter, 1 where the"
                    + " time is proportional to it."),
    /** malloc on either mmap. */
    MALLOC(
            "c",
            "malloc: dlmalloc on UPA, on the kernel, and its rivals",
            "An unmodified dlmalloc gets faster on a user-mode mmap, for the large blocks that it maps one by one.",
            "16 blocks of one size are live; an operation frees the oldest, allocates another and writes to each of"
                    + " its pages. malloc promises no zeros."),
    /** Doubling. */
    REALLOC(
            "d",
            "realloc: doubling a block",
            "A block grows in place where the pages behind it are free, and else by moving page mappings rather than"
                    + " bytes.",
            "An operation doubles a block to the size shown and writes to each page of the new half. In place: the"
                    + " addresses behind it are free. Relocated: they are taken. Copied: allocate, memcpy, free."
                    + " Natural:"
                    + " a block grows from 4 KiB, step by step, as realloc finds the room."),
    /** What makes the difference. */
    ABLATION(
            "e",
            "Ablation: what each part adds, in Douglas's own Monte-Carlo",
            "Page allocation does more than mere reuse: it splits and joins what was freed, so it needs less memory.",
            "A ring of 512 live blocks: a step frees the block of 512 steps ago, allocates one of a random size and"
                    + " writes to each of its pages. Douglas's sizes are 2^U reduced modulo 8 MiB: a fifth is"
                    + " log-uniform,"
                    + " the rest is uniform below 8 MiB, so they are mostly large (a log-uniform sampler gives as many"
                    + " blocks of 4-8 KiB as of 4-8 MiB). Time per block from allocation to release, after the ring has"
                    + " been turned over once; memory is the peak resident size, of which the live blocks take"
                    + " about the"
                    + " same for all."),
    /** One and two threads. */
    THREADS(
            "f",
            "Threads: one and two at once",
            "Threads that allocate pages do not disturb each other; in the kernel they share a lock and flush each"
                    + " other's TLB.",
            "As experiment a, warm: each thread has its own CPU and blocks of its own. Speed-up is operations per"
                    + " second of two threads over those of one."),
    /** The page-number allocator. */
    LLFREE(
            "g",
            "LLFree: the page-number allocator alone",
            "Getting and putting a page is a few compare-and-swaps, and threads do not disturb each other.",
            "An operation gets 2^n page numbers from an allocator of 16 GiB and puts them back; there is no memory"
                    + " behind them."),
    /** The requests of a real program. */
    REPLAY(
            "h",
            "Replay: what a real program asked for",
            "A program that frees pages and asks for more gets the same ones back, without the kernel.",
            "The trace's requests in their order and with their lifetimes (--sampler trace:FILE, recorded by ./upa run"
                    + " --trace FILE): what mmap got, and what the heap grew by. Each page of a block is written"
                    + " to once"
                    + " when it is allocated, also where the program may have left it alone; blocks that would"
                    + " take more"
                    + " than 2 GiB of memory so are not. Time per block, from allocation to release, resizes included."
                    + " Purges, protections and other mappings are left out, and a block that was unmapped in parts is"
                    + " released with the last of them.");

    private final String letter;
    private final String title;
    private final String claim;
    private final String includes;

    Experiment(String letter, String title, String claim, String includes) {
        this.letter = letter;
        this.title = title;
        this.claim = claim;
        this.includes = includes;
    }

    /**
     * The name on the command line.
     *
     * @return a word in lower case
     */
    public String id() {
        return name().toLowerCase();
    }

    /**
     * The short name on the command line.
     *
     * @return one letter
     */
    public String letter() {
        return letter;
    }

    /**
     * The heading.
     *
     * @return a phrase
     */
    public String title() {
        return title;
    }

    /**
     * What is claimed.
     *
     * @return a sentence
     */
    public String claim() {
        return claim;
    }

    /**
     * What a measured time includes.
     *
     * @return some sentences
     */
    public String includes() {
        return includes;
    }

    /**
     * An experiment.
     *
     * @param name its letter or name
     * @return the experiment; empty if there is none
     */
    public static Optional<Experiment> find(String name) {
        return Arrays.stream(values())
                .filter(e -> e.letter.equals(name) || e.id().equals(name))
                .findFirst();
    }

    /**
     * How to choose one.
     *
     * @return letters and names of all
     */
    public static String names() {
        return List.of(values()).stream().map(e -> e.letter + " or " + e.id()).collect(Collectors.joining(", "));
    }
}
