/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunks.h - what dlmalloc 2.8.6 writes around blocks. A chunk begins 16 bytes before its block: the size of the chunk
 * before it, if that is free, and its own size with bits of use. Behind a chunk in use stands whose heap it is of
 * (FOOTERS), by a number of the process. A segment ends in a chunk of its own that holds its record, and fence posts;
 * the one with the heap's top does not.
 */
#ifndef UPA_MALLOC_CHUNKS_H
#define UPA_MALLOC_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/page.h"

#define CHUNK_BEFORE_USED ((size_t)1)
#define CHUNK_USED ((size_t)2)
#define CHUNK_BITS ((size_t)7)
#define CHUNK_RECORD_BYTES ((size_t)48)
#define CHUNK_FENCE ((size_t)11)
#define CHUNK_END_BYTES ((size_t)80) /* from the record on, mostly */

struct chunk {
	size_t before_bytes;
	size_t word;
	/* Of a segment's record. */
	const char *segment_base;
	size_t segment_bytes;
};

static inline const struct chunk *chunk_of(const void *block)
{
	return (const struct chunk *)((const char *)block - offsetof(struct chunk, segment_base));
}

/* Another thread may change its bits of use. */
static inline size_t chunk_word(const struct chunk *c)
{
	return __atomic_load_n(&c->word, __ATOMIC_RELAXED);
}

static inline const struct chunk *chunk_at(const struct chunk *c, size_t bytes)
{
	return (const struct chunk *)((const char *)c + (bytes & ~CHUNK_BITS));
}

/* The same for all blocks of a heap. */
static inline size_t chunk_footer(const void *block)
{
	const struct chunk *c = chunk_of(block);

	return chunk_at(c, chunk_word(c))->before_bytes;
}

/*
 * Has dlmalloc mapped this block by itself (no flag of use in its size) with bytes before its aligned start? It
 * forgets them when it resizes such a block, which then is too small.
 */
static inline bool chunk_is_aligned_mapping(const void *block)
{
	const struct chunk *c = chunk_of(block);

	return !(c->word & (CHUNK_BEFORE_USED | CHUNK_USED)) && c->before_bytes;
}

/* Is this where a heap's top ends? Behind every other free chunk is one in use. */
static inline bool chunk_ends_heap(const void *end)
{
	return !(chunk_word(end) & CHUNK_USED);
}

/* A mapping that dlmalloc has made for one block: behind its only chunk are 32 bytes. A segment begins otherwise. */
#define CHUNK_BEHIND_MAPPED ((size_t)32)

static inline bool chunk_has_mapping(const void *mapping, size_t bytes)
{
	return chunk_word(mapping) + CHUNK_BEHIND_MAPPED == bytes;
}

/*
 * May so much of a segment be free once this block is? Reads what stays mapped as long as the block is there, and
 * knows for sure where no other thread uses the block's neighbours.
 */
static inline bool chunk_may_be_last(const void *block, size_t segment_bytes)
{
	const struct chunk *c = chunk_of(block);
	size_t word = chunk_word(c);
	size_t next = chunk_word(chunk_at(c, word));
	size_t bytes = word;

	if (!(word & CHUNK_BEFORE_USED))
		bytes += c->before_bytes;
	else if ((uintptr_t)c % PAGE_BYTES)
		return false;
	if (!(next & CHUNK_USED))
		bytes += next;
	else if ((next & ~CHUNK_BITS) != CHUNK_RECORD_BYTES)
		return false;
	return word & CHUNK_USED && bytes >= segment_bytes - PAGE_BYTES;
}

/* The record of this block's segment, if nothing else of that is in use; else NULL. With the heap's lock held. */
static inline struct chunk *chunk_record_if_last(const void *block)
{
	const struct chunk *c = chunk_of(block), *end = chunk_at(c, c->word);
	const char *start = (const char *)c - (c->word & CHUNK_BEFORE_USED ? 0 : c->before_bytes);

	if (!(end->word & CHUNK_USED))
		end = chunk_at(end, end->word);
	return end->word & CHUNK_USED && (end->word & ~CHUNK_BITS) == CHUNK_RECORD_BYTES &&
			       chunk_at(end, CHUNK_RECORD_BYTES)->word == CHUNK_FENCE && end->segment_base == start ?
		       (struct chunk *)end :
		       NULL;
}

/*
 * dlmalloc unmaps no segment that has more behind its free chunk than a record mostly takes. Where 16 bytes were left
 * for it, it lies so much further down. What the size loses is less than a page.
 */
static inline void chunk_end_segment(struct chunk *record)
{
	record->segment_bytes = (size_t)((const char *)record - record->segment_base) + CHUNK_END_BYTES;
}

#endif
