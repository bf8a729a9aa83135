/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain.h - how much free memory stays populated, and when the rest goes back to the kernel: arithmetic. The clock,
 * what the kernel says, and giving back are hooks (upkeep/retention.c has the real ones), so that it runs on a fake
 * clock and a recorded trace as well.
 *
 * The rule follows use. What was in use lately and is not now may stay, since a program that had it is likely to want
 * it again; the memory of that halves every half-life. Beyond it stays a percentage, but 2 MiB at least. What is in
 * use the kernel says: what is resident, less what is known to be free. So resident memory stays within that
 * percentage of its peak without UPA. Under memory pressure nothing stays.
 *
 * Where a limit leaves less than that, and of what nobody has asked for again within two parts (RETAIN_PARTS), memory
 * is lazy: it stays, marked so that the kernel may take it, by itself, from whoever needs it.
 *
 * Units: bytes, milliseconds. Thread-safety: any thread may call at any time, signal handlers too, and nothing waits;
 * two that meet may lose a rise or a decay until the next look.
 */
#ifndef UPA_RETAIN_H
#define UPA_RETAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct retain_region {
	int64_t allocated; /* in use */
	int64_t retained;  /* free and populated */
	int64_t lazy;      /* of that, what the kernel may take (upper bound) */
};

/*
 * What nobody has asked for again in one and a half half-lives has no reason to stay. It is looked at in so many parts
 * of that, each as long as a tick, in milliseconds, or longer.
 */
#define RETAIN_TICK 250
#define RETAIN_PARTS 6

/* After so many of them it is marked. */
#define RETAIN_LAZY_PARTS 2

/* While so much is kept that a program which touches more would exceed its peak by it, somebody glances so often. */
#define RETAIN_GLANCE 4

struct retain_hooks {
	/* A clock that never goes back, in milliseconds. */
	int64_t (*now)(void);
	/* Of the process, as the kernel counts it; negative if it may not be asked. */
	int64_t (*resident)(void);
	/* The most that may be kept, so much being kept; INT64_MAX: no limit. Asked by one thread at a time. */
	int64_t (*keepable)(int64_t now, int64_t kept);
	/* False: there is none. */
	bool (*region)(struct retain_region *out);
	/* Behind the region, but not in resident(); 0 without a region. */
	int64_t (*uncounted)(void);
	/* Give back what exceeds so much; the heap tells by retain_heap() what is left. */
	void (*give_back_heap)(int64_t keep);
	void (*give_back_region)(int64_t keep);
	/* One more than the bytes that resident memory should not exceed by what is kept; 0, or NULL: there is none. */
	int64_t (*bound)(void);
	/*
	 * Mark what is kept unmarked beyond so much. `strictly`: what cannot be marked is given back. The heap tells by
	 * retain_heap_lazy(). NULL, both: the kernel cannot be told, and what would be marked is given back.
	 */
	void (*mark_heap)(int64_t unmarked);
	void (*mark_region)(int64_t unmarked, bool strictly);
	/* So much is kept that somebody should look now and then, lest the program fall silent. NULL: nobody can. */
	void (*watch)(void);
};

struct retain {
	const struct retain_hooks *hooks;
	int64_t percent;   /* by which resident memory may exceed its recent peak without UPA */
	int64_t half_life; /* of that memory; 1.39 times as long if asked often; 0: only what is in use now counts */
	/*
	 * In use as addresses: of the region as told in steps, of the heap; and both when the region was last looked
	 * at.
	 */
	_Atomic int64_t region_live, heap_live, looked_live, looked_heap;
	/* Free and populated: of the region when last looked at, of the heap. */
	_Atomic int64_t region_retained, heap_retained;
	/* Of these, what is marked. */
	_Atomic int64_t region_lazy, heap_lazy;
	/* What purges have left resident and is not in use again; purged since resident memory was last asked for. */
	_Atomic int64_t idle, purged;
	/* Resident; of that in use; the most of it lately. */
	_Atomic int64_t resident, live, peak;
	/* In use and resident, when last asked for, beyond what had been told: negative if much is not touched. */
	_Atomic int64_t untold;
	/* When resident memory was last asked for, the peak last decayed, the region last looked at. */
	_Atomic int64_t sampled_at, decayed_at, looked_at;
	/* What keepable() has said, plus one, and when; 0: it has not been asked. */
	_Atomic int64_t keepable, asked_at;
	/* One more than what the program wants to be left of what is free; 0: it has not said. */
	_Atomic int64_t trim;
	/* The least that has been kept since the last tick, and in each part; when the last part ended. */
	_Atomic int64_t low;
	int64_t lows[RETAIN_PARTS];
	int64_t part_at;
	int64_t parts; /* there have been so many */
	bool ticking;  /* is a tick giving back just now? */
	bool bounded;  /* because of another process's bound? */
	atomic_flag looking;
};

/* Stays whatever happens: what small programs come and go with. */
#define RETAIN_FLOOR (2ll << 20)

/* Limits are of no interest to who keeps less. */
#define RETAIN_UNASKED (1ll << 20)

/* A thread tells of its use of the region in such steps, since all of them write to the account. */
#define RETAIN_STEP (256ll << 10)

/* The region is looked at, and resident memory asked for, at most so often, unless use grows. */
#define RETAIN_INTERVAL 16

void retain_tell(struct retain *r, int64_t *untold);

/*
 * Bytes of the region have been handed out (positive) or freed (negative). *untold is the calling thread's own, and
 * begins with 0. May give back.
 */
static inline void retain_account(struct retain *r, int64_t *untold, int64_t bytes)
{
	*untold += bytes;
	if (*untold >= RETAIN_STEP || *untold <= -RETAIN_STEP)
		retain_tell(r, untold);
}

/* The heap is `live` bytes long, and so much is kept beyond it. */
void retain_heap(struct retain *r, int64_t live, int64_t kept);

/* Of what the heap keeps, so much is marked. */
void retain_heap_lazy(struct retain *r, int64_t lazy);

/*
 * The heap has got so many bytes more from the kernel, which it is about to touch: what the region keeps may have to
 * go.
 */
void retain_heap_grew(struct retain *r, int64_t bytes);

/* The heap is about to shrink: lets the peak follow what has happened meanwhile. */
void retain_heap_shrinks(struct retain *r);

/* The bytes that the heap may keep now; after that, how many of them unmarked. */
int64_t retain_heap_allowance(struct retain *r);
int64_t retain_heap_unmarked(const struct retain *r);

/*
 * Before a purge of so many bytes, earlier ones having left `idle` resident and not in use again: by how many bytes
 * resident memory exceeds what may stay; negative if there is room.
 */
int64_t retain_excess(struct retain *r, int64_t idle, int64_t bytes);

/*
 * To be called every RETAIN_TICK by one thread at a time, whatever the program does: what has been kept through the
 * last one and a half half-lives goes, as does what retain_tell() would give back. Returns the bytes that are kept.
 */
int64_t retain_tick(struct retain *r);

/*
 * To be called every RETAIN_GLANCE by who calls retain_tick(), while retain_worth_a_glance(): a program may touch
 * memory of which no call tells. If resident memory then exceeds what it may be, much of what is kept goes.
 */
void retain_glance(struct retain *r);
bool retain_worth_a_glance(const struct retain *r);

/* Of memory that is not counted here the program has got so many bytes, and is about to touch them. */
void retain_others(struct retain *r, int64_t bytes);

/*
 * Of bytes of the region that have been freed since it was looked at, or are about to be told of as freed, so many have
 * no memory.
 */
void retain_absent(struct retain *r, int64_t bytes);

/* The program is about to fork: what is kept beyond the floor goes, since each page would be copied when reused. */
void retain_fork(struct retain *r);

/* Gives back until no more than that is kept. Waits for nobody: false if somebody else is looking. */
bool retain_reclaim(struct retain *r, int64_t keep);

/* Before the first tick of a row of them. */
void retain_begin_ticks(struct retain *r);

/*
 * The bytes that may be resident now though nobody may use them: of what is in use or was lately, the share of
 * policy/ahead.h, or less where what is known of limits, or another process's bound, leaves less.
 */
int64_t retain_spare(const struct retain *r);

/* In use of the region, by what has been told. */
int64_t retain_region_live(const struct retain *r);

/* Free and populated, by what has been told; of that, marked. */
int64_t retain_kept(const struct retain *r);
int64_t retain_lazy(const struct retain *r);

/*
 * The program wants no more than so many bytes of what is free to be kept (M_TRIM_THRESHOLD); negative: as it was. Of
 * the heap, whose end its malloc() trims itself, nothing is kept then.
 */
void retain_set_trim(struct retain *r, int64_t bytes);

/* All has been given back, at the program's wish: what was in use before is no reason to keep anything. */
void retain_trimmed(struct retain *r);

/* The most that was in use lately. */
int64_t retain_peak(const struct retain *r);

/* In a forked child: nobody is looking. */
void retain_after_fork(struct retain *r);

#endif
