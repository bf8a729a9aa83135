/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libupa_blocks.so: malloc's large blocks from mmap(), everything else from the malloc that comes next, for LD_PRELOAD
 * behind libupa_mmap.so. It is for a libc whose own calls of mmap() cannot be redirected (musl, or code that
 * redirect_walk.h refuses): the mmap() called here is found by its name, so it is UPA's. Nothing in libc is changed.
 *
 *   large: of 128 KiB and more, aligned to at most 2048 bytes. A block begins 16 bytes, or its alignment, into a
 *   mapping of its own. The 16 bytes before it are its header; so is known, from its address and those, whose block it
 *   is.
 *
 * A header's mark depends on where it is, and is cleared before the block is unmapped: memory that is used again never
 * holds one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include <upa/mman.h>

#include "entry/symbols.h"
#include "os/page.h"

#define EXPORT __attribute__((visibility("default")))

#define LEAST_BYTES (128ul << 10)
#define MOST_ALIGNMENT 2048ul

struct header {
	size_t mapped; /* bytes, of which the block begins this header's end behind the first */
	uint64_t mark;
};

_Static_assert(sizeof(struct header) == 16, "the least offset of a block");

/* The functions that come next; each is looked for at its first call. */
#define NEXT(type, name, parameters)                                                                                   \
	static type(*next_##name(void)) parameters                                                                     \
	{                                                                                                              \
		static type(*found) parameters;                                                                        \
		type(*now) parameters = __atomic_load_n(&found, __ATOMIC_RELAXED);                                     \
                                                                                                                       \
		if (__builtin_expect(!now, 0)) {                                                                       \
			now = (__typeof__(now))symbol_next((void *)next_##name, #name);                                \
			__atomic_store_n(&found, now, __ATOMIC_RELAXED);                                               \
		}                                                                                                      \
		return now;                                                                                            \
	}

NEXT(void *, malloc, (size_t))
NEXT(void, free, (void *))
NEXT(void *, calloc, (size_t, size_t))
NEXT(void *, realloc, (void *, size_t))
NEXT(void *, memalign, (size_t, size_t))
NEXT(void *, aligned_alloc, (size_t, size_t))
NEXT(int, posix_memalign, (void **, size_t, size_t))
NEXT(size_t, malloc_usable_size, (void *))

/* Not to be guessed: AT_RANDOM are 16 bytes that the kernel chose for this program. */
static uint64_t mark_of(const struct header *h)
{
	static uint64_t secret;
	uint64_t now = __atomic_load_n(&secret, __ATOMIC_RELAXED);

	if (__builtin_expect(!now, 0)) {
		const void *random = (const void *)getauxval(AT_RANDOM);

		if (random)
			memcpy(&now, random, sizeof(now));
		now |= 1;
		__atomic_store_n(&secret, now, __ATOMIC_RELAXED);
	}
	return now ^ (uintptr_t)h;
}

static struct header *header_of(void *block)
{
	return (struct header *)block - 1;
}

/*
 * A power of two from 16 to 2048 into its page, and marked: the header is in the same page, so it can be read whose
 * block it may be.
 */
static bool is_large(void *block)
{
	uintptr_t offset = (uintptr_t)block & (PAGE_BYTES - 1);

	return __builtin_expect(offset >= 16 && !(offset & (offset - 1)), 0) &&
	       header_of(block)->mark == mark_of(header_of(block));
}

static char *mapping_of(void *block)
{
	return (char *)((uintptr_t)block & ~(PAGE_BYTES - 1));
}

static size_t room_of(void *block)
{
	return header_of(block)->mapped - ((uintptr_t)block & (PAGE_BYTES - 1));
}

/* Bytes of the mapping for a block at this offset; 0 if there is no such size. */
static size_t mapped_for(size_t bytes, size_t offset)
{
	return bytes > PTRDIFF_MAX - 2 * PAGE_BYTES ? 0 : (bytes + offset + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

/* Of libupa_mmap.so, if that is there: as mmap(), and it heeds UPA_MAP_UNCLEARED. */
extern void *__upa_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
	__attribute__((weak));

/* NULL: not to be had, and whoever comes next may try. */
static void *large(size_t bytes, size_t alignment, int zeros)
{
	size_t offset = alignment < sizeof(struct header) ? sizeof(struct header) : alignment;
	size_t mapped = mapped_for(bytes, offset);
	int saved = errno;
	struct header *h;
	char *at;

	if (!mapped)
		return NULL;
	at = (zeros || !__upa_mmap ? mmap : __upa_mmap)(NULL, mapped, PROT_READ | PROT_WRITE,
							MAP_PRIVATE | MAP_ANONYMOUS | (zeros ? 0 : UPA_MAP_UNCLEARED),
							-1, 0);
	if (at == MAP_FAILED) {
		errno = saved;
		return NULL;
	}
	h = header_of(at + offset);
	h->mapped = mapped;
	h->mark = mark_of(h);
	return at + offset;
}

static void free_large(void *block)
{
	size_t mapped = header_of(block)->mapped;
	int saved = errno;

	header_of(block)->mark = 0;
	munmap(mapping_of(block), mapped);
	errno = saved;
}

static void *resize_large(void *block, size_t bytes)
{
	size_t offset = (uintptr_t)block & (PAGE_BYTES - 1);
	size_t mapped = mapped_for(bytes, offset);
	size_t was = header_of(block)->mapped;
	char *at;

	if (!mapped) {
		errno = ENOMEM;
		return NULL;
	}
	if (mapped == was)
		return block;
	/* It may end up elsewhere, where the mark is another; what it leaves must have none. */
	header_of(block)->mark = 0;
	at = mremap(mapping_of(block), was, mapped, MREMAP_MAYMOVE);
	if (at == MAP_FAILED) {
		header_of(block)->mark = mark_of(header_of(block));
		errno = ENOMEM;
		return NULL;
	}
	block = at + offset;
	header_of(block)->mapped = mapped;
	header_of(block)->mark = mark_of(header_of(block));
	return block;
}

static bool wants_large(size_t bytes, size_t alignment)
{
	return __builtin_expect(bytes >= LEAST_BYTES, 0) && alignment <= MOST_ALIGNMENT &&
	       !(alignment & (alignment - 1));
}

EXPORT void *malloc(size_t bytes)
{
	void *block = wants_large(bytes, 1) ? large(bytes, 1, 0) : NULL;

	return block ? block : next_malloc()(bytes);
}

EXPORT void free(void *block)
{
	if (is_large(block))
		free_large(block);
	else
		next_free()(block);
}

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
	size_t total;
	void *block = NULL;

	if (!__builtin_mul_overflow(count, bytes, &total) && wants_large(total, 1))
		block = large(total, 1, 1);
	return block ? block : next_calloc()(count, bytes);
}

/* Between a large block and one that is not, in either direction. */
static void *move_block(void *block, size_t kept, size_t bytes)
{
	void *moved = malloc(bytes);

	if (!moved)
		return NULL;
	memcpy(moved, block, kept < bytes ? kept : bytes);
	free(block);
	return moved;
}

EXPORT void *realloc(void *block, size_t bytes)
{
	if (!block)
		return malloc(bytes);
	if (!is_large(block))
		return wants_large(bytes, 1) ? move_block(block, next_malloc_usable_size()(block), bytes) :
					       next_realloc()(block, bytes);
	if (!bytes) {
		free(block);
		return NULL;
	}
	return bytes >= LEAST_BYTES ? resize_large(block, bytes) : move_block(block, room_of(block), bytes);
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
	void *block = wants_large(bytes, alignment) ? large(bytes, alignment, 0) : NULL;

	return block ? block : next_memalign()(alignment, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
	void *block = wants_large(bytes, alignment) ? large(bytes, alignment, 0) : NULL;

	return block ? block : next_aligned_alloc()(alignment, bytes);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t bytes)
{
	void *block = alignment % sizeof(void *) || !alignment || !wants_large(bytes, alignment) ?
			      NULL :
			      large(bytes, alignment, 0);

	if (!block)
		return next_posix_memalign()(out, alignment, bytes);
	*out = block;
	return 0;
}

EXPORT size_t malloc_usable_size(void *block)
{
	return is_large(block) ? room_of(block) : next_malloc_usable_size()(block);
}
