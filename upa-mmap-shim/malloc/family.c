/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libupa_malloc.so: malloc and its whole family, by dlmalloc 2.8.6, for LD_PRELOAD (./upa run --malloc dl).
 *
 * Doug Lea's heap has one lock. Here are several heaps: each thread takes the next in turn, twice as many as there
 * are processors, and keeps it; a block is freed into the heap it came from, whoever frees it. Results, errno and the corner cases
 * (size 0, overflow, alignment) are glibc's.
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
#include <unistd.h>

#include "entry/symbols.h"
#include "spaces.h"

#define EXPORT __attribute__((visibility("default")))

#define MOST_SPACES 64u
#define PAGE 4096ul

/* dlmalloc's own names. */
typedef void *mspace;
mspace create_mspace(size_t capacity, int locked);
void *mspace_malloc(mspace space, size_t bytes);
void mspace_free(mspace space, void *block);
void *mspace_calloc(mspace space, size_t count, size_t bytes);
void *mspace_realloc(mspace space, void *block, size_t bytes);
void *mspace_memalign(mspace space, size_t alignment, size_t bytes);
size_t mspace_usable_size(const void *block);
int mspace_trim(mspace space, size_t pad);
struct mallinfo2 mspace_mallinfo(mspace space);

static _Atomic(mspace) spaces[MOST_SPACES];
static unsigned space_count;
static _Atomic unsigned next_space;
static int starting;                 /* a lock: heaps are made one at a time */
static _Thread_local mspace own __attribute__((tls_model("initial-exec")));

/* The heap of a thread that has none yet; NULL with ENOMEM if there is no memory for one. */
static mspace choose(void)
{
	int saved = errno;
	unsigned i;

	space_lock(&starting);
	if (!space_count) {
		long processors = sysconf(_SC_NPROCESSORS_ONLN);

		space_count = processors < 1 ? 2 : processors > (long)MOST_SPACES / 2 ? MOST_SPACES : 2 * (unsigned)processors;
	}
	i = next_space++ % space_count;
	if (!spaces[i])
		spaces[i] = create_mspace(0, 1);
	own = spaces[i];
	space_unlock(&starting);
	errno = own ? saved : ENOMEM;
	return own;
}

static inline mspace mine(void)
{
	return __builtin_expect(!!own, 1) ? own : choose();
}

/* dlmalloc does not set errno on every path. */
static inline void *result(void *block)
{
	if (__builtin_expect(!block, 0))
		errno = ENOMEM;
	return block;
}

EXPORT void *malloc(size_t bytes)
{
	mspace space = mine();

	return result(space ? mspace_malloc(space, bytes) : NULL);
}

EXPORT void free(void *block)
{
	int saved = errno;

	if (block)
		mspace_free(NULL, block);
	errno = saved;
}

/* C23's, which a libc that has them would answer by a free() of its own. */
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
	void *block;

	if (!space)
		return NULL;
	space_zeros = 1;
	block = mspace_calloc(space, count, bytes);
	space_zeros = 0;
	return result(block);
}

/*
 * Has dlmalloc mapped this block by itself (no flag of use in its size) with bytes before its aligned start? It
 * forgets them when it resizes such a block, which then is too small.
 */
static bool aligned_mapping(const void *block)
{
	const size_t *chunk = (const size_t *)block - 2;

	return !(chunk[1] & 3) && chunk[0];
}

static void *realloc_aligned(mspace space, void *block, size_t bytes)
{
	size_t kept = mspace_usable_size(block);
	void *moved = mspace_malloc(space, bytes);

	if (!moved)
		return NULL;
	memcpy(moved, block, kept < bytes ? kept : bytes);
	mspace_free(NULL, block);
	return moved;
}

EXPORT void *realloc(void *block, size_t bytes)
{
	mspace space = mine();
	void *moved = NULL;

	if (space && block && bytes && aligned_mapping(block))
		return result(realloc_aligned(space, block, bytes));
	if (space)
		moved = mspace_realloc(space, block, bytes);
	/* Of size 0: freed. */
	return bytes || !block ? result(moved) : moved;
}

EXPORT void *reallocarray(void *block, size_t count, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(count, bytes, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(block, total);
}

EXPORT void *memalign(size_t alignment, size_t bytes)
{
	mspace space = mine();

	if (alignment > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	return result(space ? mspace_memalign(space, alignment, bytes) : NULL);
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes) __attribute__((alias("memalign")));

EXPORT int posix_memalign(void **out, size_t alignment, size_t bytes)
{
	int saved = errno;
	void *block;

	if (!alignment || alignment % sizeof(void *) || alignment & (alignment - 1))
		return EINVAL;
	block = memalign(alignment, bytes);
	errno = saved;
	if (!block)
		return ENOMEM;
	*out = block;
	return 0;
}

EXPORT void *valloc(size_t bytes)
{
	return memalign(PAGE, bytes);
}

EXPORT void *pvalloc(size_t bytes)
{
	if (bytes > SIZE_MAX - PAGE) {
		errno = ENOMEM;
		return NULL;
	}
	return memalign(PAGE, (bytes + PAGE - 1) & ~(PAGE - 1));
}

EXPORT size_t malloc_usable_size(void *block)
{
	return block ? mspace_usable_size(block) : 0;
}

EXPORT int malloc_trim(size_t pad)
{
	int trimmed = 0;

	for (unsigned i = 0; i < space_count; i++)
		if (spaces[i])
			trimmed |= mspace_trim(spaces[i], pad);
	return trimmed;
}

EXPORT struct mallinfo2 mallinfo2(void)
{
	struct mallinfo2 sum = { 0 };

	for (unsigned i = 0; i < space_count; i++) {
		struct mallinfo2 one;

		if (!spaces[i])
			continue;
		one = mspace_mallinfo(spaces[i]);
		sum.arena += one.arena;
		sum.ordblks += one.ordblks;
		sum.hblkhd += one.hblkhd;
		sum.usmblks += one.usmblks;
		sum.uordblks += one.uordblks;
		sum.fordblks += one.fordblks;
		sum.keepcost += one.keepcost;
	}
	return sum;
}

/* glibc's parameters mean nothing here. */
EXPORT int mallopt(int parameter, int value)
{
	(void)parameter;
	(void)value;
	return 1;
}

/*
 * A library opened with RTLD_DEEPBIND, as PHP opens its own, would find libc's free() before ours and give it our blocks. The
 * call must be the last thing here: libc looks from where it was called for the path to search.
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

static void before_fork(void)
{
	space_lock(&starting);
	space_lock_all();
}

static void after_fork(void)
{
	space_unlock_all();
	space_unlock(&starting);
}

/* First of all, so that before a fork this comes last: other handlers may call malloc. */
__attribute__((constructor(101))) static void start(void)
{
	pthread_atfork(before_fork, after_fork, after_fork);
}
