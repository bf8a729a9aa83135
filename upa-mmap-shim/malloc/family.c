/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libupa_malloc.so: malloc and its whole family, by dlmalloc 2.8.6, for LD_PRELOAD (./upa run --malloc dl).
 *
 * Doug Lea's heap has one lock. Here are several heaps: each thread takes the next in turn, twice as many as there
 * are processors, and keeps it; a block is freed into the heap it came from, whoever frees it. Results, errno and the
 * corner cases (size 0, overflow, alignment) are glibc's, and so are the names: also those by which programs reach
 * glibc's own.
 *
 * While a thread forks, its heaps are not to be had (spaces.h). Meanwhile memory comes from a heap of its own, the
 * refuge, and what is freed is put off.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "chunks.h"
#include "entry/symbols.h"
#include "heaps.h"
#include "os/os.h"

struct heap heaps[MOST_SPACES];
unsigned heap_count;
unsigned heaps_made;
unsigned char heaps_fill;
int heaps_starting;
static unsigned next_heap;
static _Thread_local mspace own __attribute__((tls_model("initial-exec")));
static _Thread_local int *own_lock __attribute__((tls_model("initial-exec")));

/* ---- heaps ----------------------------------------------------------------------------------------------- */

/* Processors that this process may run on. By a system call, since sysconf() may be somebody else's. */
static unsigned processors(void)
{
	unsigned long set[128];
	long bytes = os_call(SYS_sched_getaffinity, 0, sizeof(set), (long)set, 0, 0, 0);
	unsigned n = 0;

	for (long i = 0; i < bytes / (long)sizeof(*set); i++)
		n += (unsigned)__builtin_popcountl(set[i]);
	return n ? n : 1;
}

/*
 * A heap that begins in memory of its own, which dlmalloc neither merges with what it maps later nor gives back: where
 * the heap's own record lies, nothing can be trimmed.
 */
static void make(struct heap *h)
{
	void *base = space_map(SEGMENT_BYTES, 0);
	mspace space;
	void *block;

	if (base == MAP_FAILED)
		return;
	space = create_mspace_with_base(base, SEGMENT_BYTES, 1);
	h->lock = space_last_lock();
	block = mspace_malloc(space, 1);
	h->footer = chunk_footer(block);
	mspace_free(space, block);
	h->space = space;
}

/* The heap of a thread that has none yet; NULL if there is no memory for one, or none now. */
static mspace choose(void)
{
	struct heap *h;

	if (space_lock(&heaps_starting))
		return NULL;
	if (!heap_count)
		heap_count = processors() > MOST_SPACES / 2 ? MOST_SPACES : 2 * processors();
	h = &heaps[next_heap++ % heap_count];
	if (!h->space)
		make(h);
	if (h->space && h - heaps >= heaps_made)
		heaps_made = (unsigned)(h - heaps) + 1;
	space_unlock(&heaps_starting);
	own = h->space;
	own_lock = h->lock;
	return own;
}

static inline mspace mine(void)
{
	return __builtin_expect(!!own, 1) ? own : choose();
}

/* ---- while a thread forks ---------------------------------------------------------------------------------- */

static struct heap refuge;
static int refuge_starting; /* a lock that no fork holds */

/* Blocks whose heap could not be had when they were freed: each holds the address of the next. */
static void *_Atomic put_off;
static _Atomic bool forking;

static mspace take_refuge(void)
{
	if (refuge.space || space_lock(&refuge_starting))
		return refuge.space;
	if (!refuge.space) {
		space_exempt(true);
		make(&refuge);
		space_exempt(false);
	}
	space_unlock(&refuge_starting);
	return refuge.space;
}

/* Has a lock been refused to this thread? Asked once. */
enum space_refusal heaps_refused(void)
{
	enum space_refusal why = (enum space_refusal)space_refused;

	space_refused = SPACE_GRANTED;
	return why;
}

static void free_put_off(void)
{
	void *block = atomic_exchange(&put_off, NULL);

	while (block) {
		void *next = *(void **)block;

		mspace_free(NULL, block);
		/* Another fork: once more. */
		if (heaps_refused() == SPACE_FORKING) {
			void *rest = atomic_load(&put_off);

			do
				*(void **)block = rest;
			while (!atomic_compare_exchange_weak(&put_off, &rest, block));
		}
		block = next;
	}
}

/* A block could not be freed. Of a heap that is lost, it is lost too. */
static void put_off_free(void *block, enum space_refusal why)
{
	void *rest = atomic_load(&put_off);

	if (why != SPACE_FORKING)
		return;
	do
		*(void **)block = rest;
	while (!atomic_compare_exchange_weak(&put_off, &rest, block));
	/* The fork may be over, and whoever made it be past this. */
	if (!atomic_load(&forking))
		free_put_off();
}

/* glibc's, since 2.32: a process of which this is 1 has one thread. */
extern char __libc_single_threaded __attribute__((weak));

/*
 * Forks of this thread that are under way: a signal handler forks as well, maybe within another fork. Where there is no
 * other thread nothing need be held, and a handler over malloc() could not hold its heap.
 */
static _Thread_local int forks __attribute__((tls_model("initial-exec")));
static _Thread_local bool holding __attribute__((tls_model("initial-exec")));

static void before_fork(void)
{
	if (forks++ || (&__libc_single_threaded && __libc_single_threaded))
		return;
	holding = true;
	space_lock_all();
	atomic_store(&forking, true);
}

static void after_fork(void)
{
	forks--;
	if (!holding || forks)
		return;
	holding = false;
	atomic_store(&forking, false);
	space_unlock_all();
	free_put_off();
}

/* No other thread is here to let go of the refuge, nor to finish what it did to the list. */
static void in_child(void)
{
	forks--;
	if (!holding || forks)
		return;
	holding = false;
	if (refuge.space)
		space_abandon(refuge.lock);
	refuge = (struct heap){ 0 };
	refuge_starting = 0;
	atomic_store(&put_off, NULL);
	atomic_store(&forking, false);
	space_unlock_all();
}

/* First of all, so that before a fork this comes last: other handlers may call malloc. */
__attribute__((constructor(101))) static void start(void)
{
	space_lock_start(&heaps_starting);
	pthread_atfork(before_fork, after_fork, in_child);
	heaps_set_by_environment();
	/* The first heap, before the program asks for memory by mmap(), so that it does not lie between such blocks. */
	choose();
}

/* ---- malloc and its kin ------------------------------------------------------------------------------------ */

enum { ANYTHING, ZEROS };

/* dlmalloc does not set errno on every path. */
static void *shortage(void)
{
	errno = ENOMEM;
	return NULL;
}

/* What could not be had from the thread's own heap: because of a fork, it can be had from the refuge. */
static __attribute__((noinline)) void *instead(size_t alignment, size_t bytes, int zeros)
{
	mspace space = heaps_refused() == SPACE_FORKING ? take_refuge() : NULL;
	void *block = NULL;

	if (space && zeros) {
		space_zeros = 1;
		block = mspace_calloc(space, 1, bytes);
		space_zeros = 0;
	} else if (space) {
		block = alignment ? mspace_memalign(space, alignment, bytes) : mspace_malloc(space, bytes);
	}
	heaps_refused();
	return block ? block : shortage();
}

/* What a program gets that wants to find out whether it reads what it has not written. */
static __attribute__((noinline)) void *filled(void *block)
{
	return block ? memset(block, heaps_fill ^ 0xff, mspace_usable_size(block)) : NULL;
}

EXPORT void *malloc(size_t bytes)
{
	mspace space = mine();
	void *block = space ? mspace_malloc(space, bytes) : NULL;

	if (__builtin_expect(!block, 0))
		block = instead(0, bytes, ANYTHING);
	return __builtin_expect(heaps_fill, 0) ? filled(block) : block;
}

static void release(void *block)
{
	enum space_refusal why;

	mspace_free(NULL, block);
	if (__builtin_expect(space_refused, 0)) {
		why = heaps_refused();
		put_off_free(block, why);
	}
}

/*
 * dlmalloc looks for segments of which nothing is in use after thousands of frees, and keeps them until then. A
 * sixteenth of the heaps may be so, and 4 MiB. Blocks below 16 KiB are left to it: thousands of them are not much.
 */
#define LARGE_BYTES ((size_t)16 << 10)
#define LEAST_UNTRIMMED ((size_t)4 << 20)

/* Freed in large blocks since the heaps were last trimmed, as far as threads have told. */
static _Atomic size_t untrimmed;

/* A thread tells of so much at once: the counter is everybody's. */
#define TOLD_AT_ONCE (LEAST_UNTRIMMED / 16)

__attribute__((noinline)) static void freed_much(size_t bytes)
{
	static _Thread_local size_t untold __attribute__((tls_model("initial-exec")));
	size_t freed, all = 0;

	untold += bytes;
	if (untold < TOLD_AT_ONCE)
		return;
	freed = atomic_fetch_add_explicit(&untrimmed, untold, memory_order_relaxed) + untold;
	untold = 0;
	if (freed < LEAST_UNTRIMMED)
		return;
	for (unsigned i = 0; i < heaps_made; i++)
		if (heaps[i].space)
			all += mspace_footprint(heaps[i].space);
	if (freed < all / 16)
		return;
	atomic_store_explicit(&untrimmed, 0, memory_order_relaxed);
	for (unsigned i = 0; i < heaps_made; i++)
		if (heaps[i].space)
			mspace_trim(heaps[i].space, LEAST_UNTRIMMED / 2);
	heaps_refused();
}

static const struct heap *heap_of(const void *block)
{
	size_t footer = chunk_footer(block);

	for (unsigned i = 0; i < heaps_made; i++)
		if (heaps[i].space && heaps[i].footer == footer)
			return &heaps[i];
	return NULL;
}

/* A block that may be the last one of a segment: if it is, the segment goes back. */
__attribute__((noinline)) static void release_last(void *block)
{
	const struct heap *h = heap_of(block);
	struct chunk *record;

	if (!h || space_lock(h->lock)) {
		heaps_refused();
		release(block);
		return;
	}
	space_held = h->lock;
	record = chunk_record_if_last(block);
	if (record) {
		chunk_end_segment(record);
		mspace_free(NULL, block);
		mspace_trim(h->space, LEAST_UNTRIMMED / 2);
	} else {
		mspace_free(NULL, block);
	}
	space_held = NULL;
	space_unlock(h->lock);
}

EXPORT void free(void *block)
{
	int saved = errno;
	size_t bytes;

	if (block) {
		bytes = mspace_usable_size(block);
		if (__builtin_expect(heaps_fill, 0))
			memset(block, heaps_fill, bytes);
		if (__builtin_expect(bytes && chunk_may_be_last(block, SEGMENT_BYTES), 0))
			release_last(block);
		else
			release(block);
		if (__builtin_expect(bytes >= LARGE_BYTES, 0))
			freed_much(bytes);
	}
	errno = saved;
}

/* Of C23; the standard's allocator may check these, ours looks at the block. */
EXPORT void free_sized(void *block, size_t bytes)
{
	(void)bytes;
	free(block);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t bytes)
{
	(void)alignment;
	(void)bytes;
	free(block);
}

EXPORT void *calloc(size_t count, size_t bytes)
{
	mspace space = mine();
	void *block = NULL;
	size_t total;

	if (__builtin_mul_overflow(count, bytes, &total))
		return shortage();
	if (space) {
		space_zeros = 1;
		block = mspace_calloc(space, count, bytes);
		space_zeros = 0;
	}
	return __builtin_expect(!!block, 1) ? block : instead(0, total, ZEROS);
}

static void *move(void *block, size_t bytes)
{
	size_t kept = mspace_usable_size(block);
	void *moved = malloc(bytes);

	if (!moved)
		return NULL;
	memcpy(moved, block, kept < bytes ? kept : bytes);
	free(block);
	return moved;
}

EXPORT void *realloc(void *block, size_t bytes)
{
	enum space_refusal why;
	mspace space;
	void *moved;

	if (!block)
		return malloc(bytes);
	if (!bytes) {
		free(block);
		return NULL;
	}
	space = mine();
	if (!space || chunk_is_aligned_mapping(block) || heaps_fill) {
		heaps_refused();
		return move(block, bytes);
	}
	/* In the heap that the block is of, which may be another thread's. */
	moved = mspace_realloc(space, block, bytes);
	if (__builtin_expect(!space_refused, 1))
		return moved ? moved : shortage();
	why = heaps_refused();
	if (!moved)
		return move(block, bytes);
	if (moved != block)
		put_off_free(block, why);
	return moved;
}

EXPORT void *reallocarray(void *block, size_t count, size_t bytes)
{
	size_t total;

	return __builtin_mul_overflow(count, bytes, &total) ? shortage() : realloc(block, total);
}

EXPORT void *memalign(size_t alignment, size_t bytes)
{
	mspace space = mine();
	void *block = NULL;

	if (alignment > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	/* dlmalloc takes the lock twice for this, and would lose the block if it was refused the second time. */
	if (space && !space_lock(own_lock)) {
		space_held = own_lock;
		block = mspace_memalign(space, alignment, bytes);
		space_held = NULL;
		space_unlock(own_lock);
	}
	if (__builtin_expect(!block, 0))
		block = instead(alignment, bytes, ANYTHING);
	return __builtin_expect(heaps_fill, 0) ? filled(block) : block;
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes) ALSO(memalign);

EXPORT int posix_memalign(void **out, size_t alignment, size_t bytes)
{
	int saved = errno;
	void *block;

	if (!alignment || alignment % sizeof(void *) || alignment & (alignment - 1))
		return EINVAL;
	block = memalign(alignment, bytes);
	/* errno too, as glibc has it. */
	if (!block)
		return ENOMEM;
	errno = saved;
	*out = block;
	return 0;
}

EXPORT void *valloc(size_t bytes)
{
	return memalign(PAGE_BYTES, bytes);
}

EXPORT void *pvalloc(size_t bytes)
{
	return bytes > SIZE_MAX - PAGE_BYTES ? shortage() :
					       memalign(PAGE_BYTES, (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1));
}

EXPORT size_t malloc_usable_size(void *block)
{
	return block ? mspace_usable_size(block) : 0;
}

/* glibc's own names, by which programs pass by what stands before its malloc. */
EXPORT void *__libc_malloc(size_t bytes) ALSO(malloc);
EXPORT void *__libc_calloc(size_t count, size_t bytes) ALSO(calloc);
EXPORT void *__libc_realloc(void *block, size_t bytes) ALSO(realloc);
EXPORT void *__libc_memalign(size_t alignment, size_t bytes) ALSO(memalign);
EXPORT void *__libc_valloc(size_t bytes) ALSO(valloc);
EXPORT void *__libc_pvalloc(size_t bytes) ALSO(pvalloc);
EXPORT void __libc_free(void *block) ALSO(free);
EXPORT void cfree(void *block) ALSO(free);

/*
 * A library opened with RTLD_DEEPBIND, as PHP opens its own, would find libc's free() before ours and give it our
 * blocks. The call must be the last thing here: libc looks from where it was called for the path to search.
 */
EXPORT void *dlopen(const char *file, int mode)
{
	static _Atomic(void *) libc_dlopen;
	void *found = atomic_load_explicit(&libc_dlopen, memory_order_relaxed);

	if (!found) {
		found = symbol_next(dlopen, "dlopen");
		atomic_store_explicit(&libc_dlopen, found, memory_order_relaxed);
	}
	return ((void *(*)(const char *, int))found)(file, mode & ~RTLD_DEEPBIND);
}
