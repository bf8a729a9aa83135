/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upa/llfree.h - a lock-free page allocator whose whole state is shared memory.
 *
 * An upa_llfree hands out page *numbers* 0 .. pages-1: single pages, naturally aligned blocks of
 * 2^order pages, and runs of any length. It never touches the pages themselves. The design follows
 * LLFree (Wrenger et al., USENIX ATC'23); what differs is said in ARCHITECTURE.md: runs of any
 * length, allocation bits with a polarity per child, and a record of which free pages hold old bytes.
 *
 * Thread-safety: every function but upa_llfree_init, _recover and _validate may be called at any
 * time from any thread, signal handler or process that has the state mapped. There is no lock: a
 * caller that is stopped or killed blocks nobody. The Java twin (upa.core.LlFree) works on the
 * same bytes with the same protocol.
 *
 * Errors are returned as -errno. A shortage is -ENOMEM, misuse is -EINVAL.
 *
 * Vital statistics: metadata is 132 bytes per 2 MiB (0.0063 %) + 4 bytes per 32 MiB + 4 bytes per 512 MiB + 64
 * bytes per slot + 4 KiB. Zero bytes are a valid "all free" state, so a state is created in constant time and a
 * huge sparse one costs only what is used of it. 2, 32 and 512 MiB are taken with one compare-and-swap each, and
 * freed with one.
 *
 *
 * Layout of the state, ABI version 3 (little endian; offsets from the start of the state)
 *
 *   0                         header, 4096 bytes, see struct upa_llfree_header
 *   header.slot_offset        slots    x 64 bytes   reservation and counters of one thread
 *   header.group_offset       groups   x u32        one word per 16 trees
 *   header.tree_offset        trees    x u32        one word per 16 children
 *   header.child_offset       children x u32        one word per 512 pages
 *   header.bitmap_offset      children x 128 bytes  8 x u64 allocation bits, 8 x u64 stale bits
 *
 *   each array starts on a 64-byte boundary; trees are padded to whole groups, children to whole trees.
 *   Every word that is changed with compare-and-swap is changed with that one width by everybody.
 *
 *   child word (u32)
 *     31            16  15  14  13 12  11  10 9         0
 *    +----------------+---+---+------+----+---+----------+
 *    |  reserved (0)  | L | R | state| T  | P |   ones   |
 *    +----------------+---+---+------+----+---+----------+
 *     ones   how many of the 512 allocation bits count as 1: those that are, but for the tickets out
 *     P      polarity: the value of an allocation bit that means "free"; the other one if P of the tree is 1
 *     T      tainted: see upa_llfree_taint()
 *     state  what the free pages of the child hold: UPA_ABSENT, _ZEROED, _STALE or _MIXED
 *     R      resident, a hint: every page is known to have memory, see upa_llfree_set_resident()
 *     L      lazy: the kernel may take the memory of free pages at any instant, see upa_llfree_set_lazy()
 *     Pages used, allocated or promised to a caller, are 0..512: ones, or 512 - ones where "free" is 1.
 *
 *   tree word (u32)
 *      31  30      27  26  25 24 23       19  18  17  16  15                0
 *    +----+----------+---+------+-----------+---+---+---+-------------------+
 *    | V  |   (0)    | R | state|    (0)    | O | W | P |       used        |
 *    +----+----------+---+------+-----------+---+---+---+-------------------+
 *     used   pages that are allocated or promised, 0..8192, more if overdrawn
 *     P      polarity: 1 inverts that of every child
 *     W      whole: taken in one step, and no part of it freed since; used is 8192
 *     O      open. A closed tree has used 0 or 8192, and neither W nor V. If P of its group is 1 it is read the
 *            other way: P inverted, and 8192 - used for used. One that is used then is whole.
 *     state  what all its children hold, none of them tainted or lazy; UPA_MIXED: each child is to be asked
 *     R      what all its children have as R; 0 if state is UPA_MIXED
 *     V      reserved by a slot
 *
 *   group word (u32): used, P, W, state and R where a tree word has them. used counts trees that are not both closed
 *     and free, 0..16, more if overdrawn. P 1 inverts how closed trees are read. W: all 16 are closed and used.
 *     state and R are what all its trees have.
 *
 *   slot word (u64): bits 0..15 free 0..8192, bits 16..55 child where the search starts (its tree is the one
 *     reserved), bit 62 P of that tree, bit 63 present
 *
 * Polarity is what makes a child, a tree or a group one word: taking all of a free one, and giving it back,
 * inverts P in one compare-and-swap and leaves what is below alone. A part of a whole child is freed like any
 * other pages. Before a part of a whole tree is freed its W is cleared; if it is closed it is opened instead,
 * after W of its group has been cleared.
 *
 * Invariants. At every instant, with free(x) = capacity - x.used:
 *     number of free bits of a child           >=  free(child)
 *     sum of free(child) over a tree           >=  free(tree) + free of the slot that reserves it
 *     trees of a group that are closed, free   >=  free(group)
 * so a unit of a counter is a ticket: who has taken it will find its page, or its tree. Allocation takes tickets
 * from the top (slot or tree, then child), then the bits; freeing gives back bits, then child, then slot or tree.
 * Who opens a free tree takes a ticket of the group first; who closes one, to take the group whole, gives it back
 * last.
 *
 * Tickets on their way between two words are out of reach, and a killed thread takes them along. So that this
 * makes nobody else fail, the last search takes pages it has seen to be free without tickets of the tree, or opens
 * a tree without one of the group, and overdraws that. Then the invariant fails until the tickets are back, and a
 * ticket of the same tree or group may find nothing: it is given back, and the next tree is tried.
 *
 * The polarity of x changes only while x is wholly free or wholly one caller's, hence never under somebody who
 * holds a page or a ticket of it. So does the rule "ABSENT or ZEROED => no stale bit" of a child.
 *
 * Memory may vanish from the instant somebody has marked it MADV_FREE until it is written to or dropped. A free page
 * whose memory may vanish lies in a child with L: who marks it holds it, sets L, and frees it after that. So who gets
 * a page sees L if its memory may vanish, and writes to the page before he relies on it. L goes when one caller holds
 * all 512 pages and says what they hold: then he has written to them, or dropped them.
 *
 * If the state of a tree or group is not MIXED, all below is so. Who changes the state of a child, or a mark of
 * it, sets that of the group to MIXED first, then that of the tree; only who holds all of one may set it to
 * another state again.
 */
#ifndef UPA_LLFREE_H
#define UPA_LLFREE_H

#include <stddef.h>
#include <stdint.h>

#include <upa/api.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UPA_LLFREE_MAGIC 0x0031454552465055ull /* the bytes "UPFREE1\0" */
#define UPA_LLFREE_ABI 3u

#define UPA_PAGE_SHIFT 12u         /* a page is 4096 bytes */
#define UPA_CHILD_PAGES 512u       /* pages of a child: 2 MiB */
#define UPA_TREE_CHILDREN 16u      /* children of a tree: one cache line of child words */
#define UPA_TREE_PAGES 8192u       /* pages of a tree: 32 MiB */
#define UPA_GROUP_TREES 16u        /* trees of a group: one cache line of tree words */
#define UPA_GROUP_PAGES 131072u    /* pages of a group: 512 MiB */
#define UPA_MAX_ORDER 9u           /* 2^9 pages = one child */
#define UPA_MAX_PAGES (1ull << 35) /* 128 TiB, the user half of a 48-bit address space */
#define UPA_MAX_SLOTS 4096u

/* What the free pages of a child hold. */
#define UPA_ABSENT 0u /* no memory behind them: a touch faults and reads zero */
#define UPA_ZEROED 1u /* populated, known to be zero */
#define UPA_STALE 2u  /* old bytes, wherever their last holder touched them */
#define UPA_MIXED 3u  /* those whose stale bit is set are stale, the others absent */

/* Flags of the get functions. */
#define UPA_GET_ZEROS 1u  /* the caller needs zeros: prefer pages that need no clearing */
#define UPA_GET_ABSENT 2u /* the caller brings memory of its own: prefer pages without any */

#define UPA_GET_CONTENTS 4u /* the result says what the pages hold, too: see upa_llfree_page() */
#define UPA_GET_ALIGNED 8u  /* a run lies in a child, or is longer and starts at one, wherever that can be */

/* What pages just taken hold: a set. */
#define UPA_HOLDS_ABSENT 1u    /* some have no memory, and read zero */
#define UPA_HOLDS_ZEROED 2u    /* some have memory, and read zero */
#define UPA_HOLDS_STALE 4u     /* some hold old bytes */
#define UPA_HOLDS_LAZY 16u     /* the memory of those that have it may vanish: see upa_llfree_set_lazy() */
#define UPA_HOLDS_RESIDENT 32u /* all are known to have memory: see upa_llfree_set_resident() */
#define UPA_CONTENTS_SHIFT 40u

/* Flags of upa_llfree_put_run(): at most one of them; none means the pages hold old bytes. */
#define UPA_PUT_ABSENT 1u    /* the caller has given their memory back to the kernel */
#define UPA_PUT_ZEROED 2u    /* the caller has cleared them */
#define UPA_PUT_UNTOUCHED 3u /* the caller has not used them: they hold what they held */

/* Start of the state. Written once by upa_llfree_init(), but for touched_children. */
struct upa_llfree_header {
	uint64_t magic; /* UPA_LLFREE_MAGIC, written last */
	uint32_t abi;   /* UPA_LLFREE_ABI */
	uint32_t slots;
	uint64_t state_bytes; /* size of the whole state */
	uint64_t pages;
	uint64_t slot_offset;
	uint64_t group_offset;
	uint64_t tree_offset;
	uint64_t child_offset;
	uint64_t bitmap_offset;
	uint64_t touched_children; /* no child from here on has ever been handed out (u64 CAS; a hint for searches) */
};

/*
 * A process's view of a state: plain pointers and sizes, checked once by init or attach and never
 * read from shared memory again. Copyable; owns nothing.
 */
struct upa_llfree {
	void *state;
	void *slot;
	void *group;
	void *tree;
	void *child;
	void *bitmap;
	uint64_t pages;
	uint64_t children;
	uint64_t trees;
	uint64_t groups;
	uint32_t slots;
	uint32_t padding;
};

/* Counters, summed over all slots and children. Exact when nobody else is at work. */
struct upa_llfree_stats {
	uint64_t pages; /* managed */
	uint64_t free_pages;
	uint64_t free_children;  /* children of which every page is free */
	uint64_t retained_pages; /* free pages that have memory behind them (upper bound) */
	uint64_t gets;           /* successful gets, and the pages they took */
	uint64_t got_pages;
	uint64_t puts; /* successful puts, and the pages they returned */
	uint64_t put_pages;
	uint64_t failures;   /* gets that found nothing */
	uint64_t searches;   /* gets that had to search beyond the slot's own tree */
	uint64_t lazy_pages; /* of the retained ones, those whose memory the kernel may take (upper bound) */
};

/* Bytes of state for so many pages (1 .. UPA_MAX_PAGES) and slots (1 .. UPA_MAX_SLOTS); 0 if out of range. */
UPA_API size_t upa_llfree_state_size(uint64_t pages, uint32_t slots);

/*
 * Makes an all-free allocator in `state`: `bytes` of zeroed memory, 64-byte aligned, all pages
 * absent. -EINVAL: out of range, misaligned, or bytes < upa_llfree_state_size().
 */
UPA_API int upa_llfree_init(struct upa_llfree *a, void *state, size_t bytes, uint64_t pages, uint32_t slots);

/*
 * Takes a state that init has made, here or in another process. Nothing in it is trusted:
 * -EBADMSG: no magic; -EPROTO: another ABI version; -ERANGE: truncated, or sizes that contradict
 * each other; -EINVAL: misaligned.
 */
UPA_API int upa_llfree_attach(struct upa_llfree *a, void *state, size_t bytes);

/*
 * Rebuilds every counter from the allocation bits, for a state whose users have all gone, some
 * killed at work. What was allocated stays allocated; a killed thread leaves behind at most the
 * pages of the one call it was in. Nobody else may use the state meanwhile.
 * Returns the number of pages whose counters were wrong.
 */
UPA_API int64_t upa_llfree_recover(struct upa_llfree *a);

/* Checks every invariant of a quiet state. 0, or -EUCLEAN with one line about the first fault in message. */
UPA_API int upa_llfree_validate(const struct upa_llfree *a, char *message, size_t message_bytes);

/*
 * Takes 2^order pages, order 0 .. UPA_MAX_ORDER, naturally aligned. Returns the first page.
 * `slot` is any number; callers with different numbers (modulo slots) do not disturb each other.
 * -ENOMEM only when nothing free can serve the request. -EINVAL: order or flags.
 */
UPA_API int64_t upa_llfree_get(const struct upa_llfree *a, uint32_t slot, uint32_t order, uint32_t flags);

/*
 * Takes `pages` consecutive pages, any number >= 1. Runs of up to 512 pages lie within one child wherever the free
 * memory allows it; of fewer, they may also take all that is free at the end of a child in use, and the rest from the
 * next one. Longer ones start at any page: where the fewest of their pages lack memory, and of such places in the
 * shortest stretch of free pages, as far as the search goes. Where no place has memory of 2 MiB, runs of 32 MiB or
 * 512 MiB and more start at a tree or group, if there is a choice. With UPA_GET_ALIGNED or _ABSENT short ones lie
 * within a child, and long ones start at one. No page beyond the end is held.
 */
UPA_API int64_t upa_llfree_get_run(const struct upa_llfree *a, uint32_t slot, uint64_t pages, uint32_t flags);

/*
 * Of a result >= 0 with UPA_GET_CONTENTS: the first page, and what the pages hold, UPA_HOLDS_*. Of pages in one child
 * that is UPA_MIXED it says that some are absent and some stale, unless UPA_GET_ZEROS was given as well.
 */
static inline int64_t upa_llfree_page(int64_t result)
{
	return result & ((1ll << UPA_CONTENTS_SHIFT) - 1);
}
static inline uint32_t upa_llfree_holds(int64_t result)
{
	return (uint32_t)(result >> UPA_CONTENTS_SHIFT);
}

/*
 * Takes exactly the pages first .. first+pages-1. What they hold, UPA_HOLDS_*, which is 0 or more; -EBUSY if one of
 * them is not free, -EINVAL if out of range.
 */
UPA_API int upa_llfree_get_at(const struct upa_llfree *a, uint32_t slot, uint64_t first, uint64_t pages);

/*
 * Frees pages first .. first+pages-1: all or any part of what gets have returned, across their
 * borders too. -EINVAL, and nothing freed, if the range is foreign or any page of it is free
 * already. (Two threads that free the same page in the same instant break the rules: each page is
 * then freed once, and one of them may see -EINVAL after a part of its range has been freed.)
 */
UPA_API int upa_llfree_put_run(const struct upa_llfree *a, uint32_t slot, uint64_t first, uint64_t pages,
			       uint32_t flags);

/* The inverse of upa_llfree_get(): put_run() of 2^order pages; page must be aligned to the order. */
UPA_API int upa_llfree_put(const struct upa_llfree *a, uint32_t slot, uint64_t page, uint32_t order);

/*
 * Of pages the caller has taken (first .. first+pages-1): what a get of them with UPA_GET_CONTENTS has said, or less,
 * UPA_HOLDS_*, unless he has recorded something else since. -EINVAL if out of range.
 */
UPA_API int upa_llfree_contents(const struct upa_llfree *a, uint64_t first, uint64_t pages);

/*
 * Of pages the caller holds (first .. first+pages-1): the first one that may hold old bytes, and in
 * *length how many follow it without a gap; -1 if all of them read zero.
 */
UPA_API int64_t upa_llfree_next_stale(const struct upa_llfree *a, uint64_t first, uint64_t pages, uint64_t *length);

/*
 * The first page in first .. first+pages-1 whose child is in one of a set of states, 1 << UPA_ABSENT and so on, and in
 * *length how many like it follow; -1 if there is none. Of children that the caller does not hold a snapshot.
 */
UPA_API int64_t upa_llfree_next_state(const struct upa_llfree *a, uint64_t first, uint64_t pages, uint32_t states,
				      uint64_t *length);

/*
 * The first page in first .. first+pages-1 that is free (free != 0) or allocated (free == 0), and in *length how
 * many like it follow; -1 if there is none. A snapshot: only what the caller holds is sure to stay.
 */
UPA_API int64_t upa_llfree_next(const struct upa_llfree *a, uint64_t first, uint64_t pages, int free, uint64_t *length);

/*
 * Marks the children of pages the caller holds: their mapping carries kernel state of its own
 * (protection, advice, something foreign mapped over it), which whoever frees them must reset first.
 * The mark goes when the child becomes wholly free; from a last child of fewer than 512 pages it never
 * goes. upa_llfree_tainted() says whether any child of a range has it.
 */
UPA_API int upa_llfree_taint(const struct upa_llfree *a, uint64_t first, uint64_t pages);
UPA_API int upa_llfree_tainted(const struct upa_llfree *a, uint64_t first, uint64_t pages);

/*
 * Of pages the caller holds (first .. first+pages-1): they hold old bytes from now on, since he has put memory behind
 * them. Children wholly within the range are no longer lazy. -EINVAL if out of range.
 */
UPA_API int upa_llfree_set_stale(const struct upa_llfree *a, uint64_t first, uint64_t pages);

/*
 * Remembers that every page of the children wholly within a range the caller holds has memory behind
 * it, so that nobody need ask the kernel again. A hint: it goes when pages are put back as absent, and
 * is not told of what else may take memory away. upa_llfree_resident() asks for the child of one page.
 */
UPA_API int upa_llfree_set_resident(const struct upa_llfree *a, uint64_t first, uint64_t pages);
UPA_API int upa_llfree_resident(const struct upa_llfree *a, uint64_t page);

/*
 * Says of pages the caller holds, and is about to free with UPA_PUT_UNTOUCHED, that the kernel may take their memory at
 * any instant from then on: he has marked it, or is about to (MADV_FREE). What was stale then reads zero. Whoever gets
 * such pages is told so (UPA_HOLDS_LAZY), and must write to each page that is not absent, or drop it, before he relies
 * on what it holds. The mark is one of children. It goes when all of one is freed as stale, zeroed or absent, and by
 * upa_llfree_set_stale() and _settle(); a get does not end it. Lazy children are not known to be resident. -EINVAL if
 * out of range.
 */
UPA_API int upa_llfree_set_lazy(const struct upa_llfree *a, uint64_t first, uint64_t pages);

/*
 * Says of pages the caller holds that he has written to each whose memory might vanish, or dropped it: children wholly
 * within the range are no longer lazy. -EINVAL if out of range.
 */
UPA_API int upa_llfree_settle(const struct upa_llfree *a, uint64_t first, uint64_t pages);

/* Has the child that holds `page` that mark? 0 or 1, or -EINVAL. */
UPA_API int upa_llfree_lazy(const struct upa_llfree *a, uint64_t page);

/* Gives the reservations of all slots back to their trees. */
UPA_API void upa_llfree_drain(const struct upa_llfree *a);

/* UPA_ABSENT .. UPA_MIXED of the child that holds `page`, or -EINVAL. */
UPA_API int upa_llfree_child_state(const struct upa_llfree *a, uint64_t page);

/* Number of children, from the start, that have ever been handed out; the rest is absent. */
UPA_API uint64_t upa_llfree_touched_children(const struct upa_llfree *a);

UPA_API int upa_llfree_get_stats(const struct upa_llfree *a, struct upa_llfree_stats *out);

#ifdef __cplusplus
}
#endif
#endif
