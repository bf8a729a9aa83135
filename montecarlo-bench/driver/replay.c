/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - see replay.h. Nothing in a trace is trusted. */
#define _GNU_SOURCE
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <upa/trace.h>

#define PAGE 4096u
#define NONE UINT32_MAX
#define MOST_BLOCKS (1u << 28)
#define HIGHEST (1ull << 56)

/* Addresses that belong to a block; sorted, none overlaps another. */
struct extent {
	uint64_t from, to;
	uint32_t block;
};

/* A thread in mremap(). */
struct pending {
	uint32_t thread, block;
	uint64_t bytes;
};

struct reader {
	struct replay *replay;
	struct extent *extents;
	uint64_t extent_count, extent_capacity;
	struct pending *pending;
	uint64_t pending_count, pending_capacity;
	uint64_t *bytes; /* of each block: pages that remain, and its size */
	uint64_t byte_capacity;
	uint32_t *heap; /* blocks of the heap, the latest last */
	uint64_t heap_count, heap_capacity;
	uint64_t live_bytes;
	const char *path;
};

__attribute__((format(printf, 2, 3))) static int refuse(const char *path, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "upa-driver: cannot replay trace file=%s: ", path);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return -1;
}

/* Room for one more item in an array; its start, NULL without memory. */
static void *room(void *array, uint64_t count, uint64_t *capacity, size_t item)
{
	uint64_t more = *capacity ? 2 * *capacity : (1u << 16) / item;
	void *at;

	if (count < *capacity)
		return array;
	if (*capacity)
		at = mremap(array, *capacity * item, more * item, MREMAP_MAYMOVE);
	else
		at = mmap(NULL, more * item, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	*capacity = more;
	return at;
}

#define ROOM(array, count, capacity) ((array) = room(array, count, &(capacity), sizeof(*(array))))

static int operate(struct reader *r, enum operation_kind kind, uint32_t block, uint64_t bytes)
{
	struct replay *p = r->replay;

	if (!ROOM(p->operations, p->count, p->capacity))
		return -1;
	p->operations[p->count++] = (struct operation){ block, kind, bytes };
	p->resizes += kind == RESIZE;
	p->releases += kind == RELEASE;
	return 0;
}

static void more_live(struct reader *r, uint64_t bytes)
{
	r->live_bytes += bytes;
	if (r->live_bytes > r->replay->peak_bytes)
		r->replay->peak_bytes = r->live_bytes;
}

/* A new block; NONE without memory. */
static uint32_t allocate(struct reader *r, uint64_t bytes)
{
	uint64_t block = r->replay->blocks;

	if (block == MOST_BLOCKS || !ROOM(r->bytes, 2 * block + 1, r->byte_capacity) ||
	    operate(r, ALLOCATE, (uint32_t)block, bytes))
		return NONE;
	r->bytes[2 * block] = r->bytes[2 * block + 1] = bytes;
	r->replay->blocks++;
	more_live(r, bytes);
	return (uint32_t)block;
}

static int release(struct reader *r, uint32_t block)
{
	r->live_bytes -= r->bytes[2 * block + 1];
	return operate(r, RELEASE, block, r->bytes[2 * block + 1]);
}

static int resize(struct reader *r, uint32_t block, uint64_t bytes)
{
	r->live_bytes -= r->bytes[2 * block + 1];
	r->bytes[2 * block] = r->bytes[2 * block + 1] = bytes;
	more_live(r, bytes);
	return operate(r, RESIZE, block, bytes);
}

/* ---- which block is where --------------------------------------------------------------------- */

/* The first extent that ends behind an address. */
static uint64_t find(const struct reader *r, uint64_t address)
{
	uint64_t low = 0, high = r->extent_count;

	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (r->extents[middle].to > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int insert(struct reader *r, uint64_t at, struct extent e)
{
	if (!ROOM(r->extents, r->extent_count, r->extent_capacity))
		return -1;
	memmove(r->extents + at + 1, r->extents + at, (r->extent_count - at) * sizeof(e));
	r->extents[at] = e;
	r->extent_count++;
	return 0;
}

static void drop(struct reader *r, uint64_t at)
{
	r->extent_count--;
	memmove(r->extents + at, r->extents + at + 1, (r->extent_count - at) * sizeof(*r->extents));
}

static int unmap(struct reader *r, uint64_t from, uint64_t to)
{
	uint64_t i = find(r, from);

	while (i < r->extent_count && r->extents[i].from < to) {
		struct extent *e = &r->extents[i];
		struct extent was = *e;
		uint64_t start = was.from > from ? was.from : from;
		uint64_t end = was.to < to ? was.to : to;
		uint64_t *remaining = &r->bytes[2 * was.block];

		if (was.from < start && end < was.to) {
			e->to = start;
			if (insert(r, i + 1, (struct extent){ end, was.to, was.block }))
				return -1;
		} else if (was.from < start) {
			e->to = start;
			i++;
		} else if (end < was.to) {
			e->from = end;
		} else {
			drop(r, i);
		}
		*remaining -= end - start;
		if (*remaining)
			r->replay->parts++;
		else if (release(r, was.block))
			return -1;
		if (end < was.to)
			break;
	}
	return 0;
}

static int map(struct reader *r, uint64_t from, uint64_t to, uint32_t block)
{
	return insert(r, find(r, from), (struct extent){ from, to, block });
}

/* ---- the records ------------------------------------------------------------------------------ */

static int on_map(struct reader *r, const struct upa_trace_record *record, uint64_t from, uint64_t to)
{
	unsigned wanted = UPA_TRACE_ANONYMOUS;
	unsigned unwanted = UPA_TRACE_SHARED | UPA_TRACE_FIXED | UPA_TRACE_STACK;
	uint32_t block;

	/* Whatever was there without our being told, or has been mapped over. */
	if (unmap(r, from, to))
		return -1;
	if ((record->flags & (wanted | unwanted)) != wanted || record->detail != (PROT_READ | PROT_WRITE) ||
	    from == to) {
		r->replay->others++;
		return 0;
	}
	block = allocate(r, to - from);
	return block == NONE ? -1 : map(r, from, to, block);
}

/* From here on until it arrives, a block is nowhere. */
static int on_resize(struct reader *r, uint32_t thread, uint64_t from, uint64_t to)
{
	struct pending p = { thread, NONE, to - from };
	uint64_t i = find(r, from);

	if (i < r->extent_count && r->extents[i].from == from && r->extents[i].to == to &&
	    r->bytes[2 * r->extents[i].block] == to - from) {
		p.block = r->extents[i].block;
		drop(r, i);
	} else if (unmap(r, from, to)) {
		return -1;
	}
	if (!ROOM(r->pending, r->pending_count, r->pending_capacity))
		return -1;
	r->pending[r->pending_count++] = p;
	return 0;
}

static int on_resized(struct reader *r, uint32_t thread, uint64_t from, uint64_t to)
{
	struct pending p;
	uint64_t i = r->pending_count;

	while (i && r->pending[i - 1].thread != thread)
		i--;
	if (!i)
		return refuse(r->path, "a resize ends that has not begun: thread=%" PRIu32, thread);
	p = r->pending[i - 1];
	r->pending_count--;
	memmove(r->pending + i - 1, r->pending + i, (r->pending_count - (i - 1)) * sizeof(p));
	if (unmap(r, from, to))
		return -1;
	/* A part of a block, or something foreign, goes on as what it was: no block of its own. */
	if (p.block == NONE)
		return 0;
	if (from == to)
		return release(r, p.block);
	if (to - from != p.bytes && resize(r, p.block, to - from))
		return -1;
	return map(r, from, to, p.block);
}

static int on_break(struct reader *r, bool shrinks, uint64_t bytes)
{
	r->replay->heap_moves++;
	if (!shrinks) {
		uint32_t block = bytes ? allocate(r, bytes) : 0;

		if (block == NONE || !ROOM(r->heap, r->heap_count, r->heap_capacity))
			return -1;
		if (bytes)
			r->heap[r->heap_count++] = block;
		return 0;
	}
	while (bytes && r->heap_count) {
		uint32_t block = r->heap[r->heap_count - 1];
		uint64_t has = r->bytes[2 * block + 1];

		if (bytes < has)
			return resize(r, block, has - bytes);
		r->heap_count--;
		bytes -= has;
		if (release(r, block))
			return -1;
	}
	return 0;
}

static uint64_t up(uint64_t bytes)
{
	return (bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

/* -1 after a message, or without memory. */
static int read_record(struct reader *r, const struct upa_trace_record *record, uint64_t index)
{
	uint64_t from = record->address, to;

	if (!record->kind || record->flags & UPA_TRACE_FAILED)
		return 0;
	if (record->kind > UPA_TRACE_BREAK || record->bytes > HIGHEST || from > HIGHEST)
		return refuse(r->path, "record=%" PRIu64 " has kind=%u address=%#" PRIx64 " bytes=%" PRIu64, index,
			      record->kind, from, record->bytes);
	to = from + up(record->bytes);
	switch (record->kind) {
	case UPA_TRACE_MAP: return on_map(r, record, from, to);
	case UPA_TRACE_UNMAP: return unmap(r, from, to);
	case UPA_TRACE_RESIZE: return on_resize(r, record->thread, from, to);
	case UPA_TRACE_RESIZED: return on_resized(r, record->thread, from, to);
	case UPA_TRACE_BREAK: return on_break(r, record->flags & UPA_TRACE_SHRINKS, up(record->bytes));
	case UPA_TRACE_ADVISE:
		r->replay->purges += record->detail == MADV_DONTNEED || record->detail == MADV_FREE;
		return 0;
	default: r->replay->others++; return 0;
	}
}

/* All of the file; NULL after a message. Not mapped, since its process may cut it. */
static const void *load(const char *path, uint64_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t done = 0;
	struct stat st;
	char *at;

	if (fd < 0 || fstat(fd, &st)) {
		refuse(path, "%s", strerror(errno));
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || !st.st_size) {
		refuse(path, "it is not a trace");
		return NULL;
	}
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED) {
		refuse(path, "%s", strerror(errno));
		return NULL;
	}
	while (done < (uint64_t)st.st_size) {
		ssize_t n = read(fd, at + done, (size_t)st.st_size - done);

		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	close(fd);
	*bytes = done;
	return at;
}

int replay_read(struct replay *replay, const char *path)
{
	struct reader r = { .replay = replay, .path = path };
	const struct upa_trace_header *h;
	const struct upa_trace_record *records;
	uint64_t bytes = 0, n;

	memset(replay, 0, sizeof(*replay));
	h = load(path, &bytes);
	if (!h)
		return -1;
	if (bytes < sizeof(h->magic) || h->magic != UPA_TRACE_MAGIC)
		return refuse(path, "it is not a trace");
	if (bytes < sizeof(*h))
		return refuse(path, "truncated: bytes=%" PRIu64 " of a header of %zu", bytes, sizeof(*h));
	if (h->version != UPA_TRACE_VERSION)
		return refuse(path, "it is of version=%" PRIu32 ", this program reads version %u", h->version,
			      UPA_TRACE_VERSION);
	if (h->header_bytes != sizeof(*h) || h->record_bytes != sizeof(*records))
		return refuse(path, "header_bytes=%" PRIu32 " record_bytes=%" PRIu32, h->header_bytes, h->record_bytes);
	n = (bytes - sizeof(*h)) / sizeof(*records);
	if (h->ended_ns && h->records > n)
		return refuse(path, "truncated: records=%" PRIu64 " found=%" PRIu64, h->records, n);
	if (h->ended_ns)
		n = h->records;
	records = (const struct upa_trace_record *)(h + 1);
	for (uint64_t i = 0; i < n; i++) {
		errno = 0;
		if (read_record(&r, &records[i], i)) {
			if (errno == ENOMEM)
				refuse(path, "too little memory for its blocks");
			return -1;
		}
	}
	munmap((void *)h, bytes);
	if (!replay->count)
		return refuse(path, "the program asked for no memory that could be replayed");
	return 0;
}
