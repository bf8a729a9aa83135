/*
 * unused.h - a region whose allocators of pages and frames have been declared to the kernel, for
 * unused.c and unused_race.c.
 */
#ifndef UPADEV_TESTS_UNUSED_H
#define UPADEV_TESTS_UNUSED_H

#include "allocator.h"

#define PAGES 32768ULL
#define FRAMES 16384ULL
#define STATE_BYTES (8ULL << 20)

static struct region r;
static struct allocator pages, frames;
static _Atomic uint64_t *marks; /* the count, the bound, then those of pages, frames, absence */

static inline uint64_t mark_words(const struct allocator *a)
{
	return parts(parts(a->where.units, CHILD), 64);
}

static inline uint64_t taken(void)
{
	return marks[0];
}

static inline bool page_marked(uint64_t page)
{
	return marks[2 + page / CHILD / 64] >> page / CHILD % 64 & 1;
}

static inline bool frame_marked(uint64_t frame)
{
	return marks[2 + mark_words(&pages) + frame / CHILD / 64] >> frame / CHILD % 64 & 1;
}

static inline bool absent(uint64_t frame)
{
	return marks[2 + mark_words(&pages) + mark_words(&frames) + frame / 64] >> frame % 64 & 1;
}

static inline void press(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQUAL(write(fd, "2", 1), 1);
	close(fd);
}

static inline struct upadev_allocators declaration(void)
{
	return (struct upadev_allocators){
		.pages = pages.where,
		.frames = frames.where,
		.marks_offset = (uint64_t)((char *)marks - (char *)r.state),
	};
}

/* A region of so many pages and frames with two allocators in its state, all free. */
static inline void place(uint32_t flags, uint64_t nr_pages, uint64_t nr_frames)
{
	uint64_t end = 4096;

	r = make_region_with(UPADEV_GUARDED, flags, nr_pages, nr_frames, nr_frames, STATE_BYTES);
	end = allocator_place(&pages, &r, end, nr_pages);
	end = allocator_place(&frames, &r, end, nr_frames);
	marks = (void *)((char *)r.state + end);
	for (uint64_t i = 0; i < nr_pages; i++)
		unit_put(&pages, i);
	for (uint64_t i = 0; i < nr_frames; i++)
		unit_put(&frames, i);
}

static inline void make(uint32_t flags, uint64_t nr_pages, uint64_t nr_frames)
{
	struct upadev_allocators a;

	place(flags, nr_pages, nr_frames);
	a = declaration();
	CHECK_EQUAL(ioctl(r.fd, UPADEV_ALLOCATORS, &a), 0);
}

static inline void tag(uint64_t page, uint64_t mark)
{
	word(&r, page)[0] = word(&r, page)[511] = mark + page;
}

static inline void check_tag(uint64_t page, uint64_t mark)
{
	CHECK_EQUAL(word(&r, page)[0], mark + page);
	CHECK_EQUAL(word(&r, page)[511], mark + page);
}

/* Page gets frame, both taken from their allocators. */
static inline void name(uint64_t page, uint64_t frame)
{
	CHECK(unit_get(&pages, page));
	CHECK(unit_get(&frames, frame));
	r.shadow[page] = (uint32_t)frame + 1;
}

static inline void take(uint64_t page, uint64_t frame)
{
	name(page, frame);
	tag(page, 100);
}

static inline uint64_t reclaim(uint64_t most)
{
	struct upadev_reclaim request = { .pages = most };

	CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM, &request), 0);
	return request.reclaimed;
}

static inline uint64_t gone(void)
{
	struct upadev_reclaim request = { 0 };

	CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM, &request), 0);
	return request.gone;
}

#endif
