/* SPDX-License-Identifier: Apache-2.0 */
/* The back end of regions whose pages a pager moves. */
#define _GNU_SOURCE
#include "region/device/paged.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "region/backend.h"
#include "region/device/device.h"
#include "region/mapping.h"

/* ---- where everything is in the state ----------------------------------------------------------- */

static uint64_t parts(uint64_t units, uint64_t of)
{
	return (units + of - 1) / of;
}

static void lay_out(struct device_paging *p, uint64_t offset, uint64_t pages, uint64_t frames)
{
	uint64_t children = parts(frames, UPA_CHILD_PAGES), trees = parts(children, UPA_TREE_CHILDREN);

	p->header_offset = offset;
	p->kept_offset = p->header_offset + 64;
	p->places_offset = p->kept_offset + PAGED_KEPT_BYTES;
	p->bits_offset = p->places_offset + pages * sizeof(uint64_t);
	p->words_offset = p->bits_offset + children * 16 * sizeof(uint64_t);
	p->marks_offset = round_up(p->words_offset + (children + trees + parts(trees, 16)) * 4, PAGE_BYTES);
}

size_t upa_paged_bytes(uint64_t pages, uint64_t frames)
{
	struct device_paging p;

	lay_out(&p, 0, pages, frames);
	return p.marks_offset;
}

void upa_paged_lay_out(struct upa_region *r, uint64_t offset)
{
	struct device_region *d = r->device;
	struct device_paging *p = d->paging = (struct device_paging *)(d + 1);
	char *state = (char *)r->header;

	_Static_assert(sizeof(*d) + sizeof(*p) <= PAGE_BYTES, "one page");
	lay_out(p, offset, r->device->data_bytes / PAGE_BYTES, d->max_frames);
	p->header = (_Atomic uint64_t *)(state + p->header_offset);
	p->bits = (_Atomic uint64_t *)(state + p->bits_offset);
	p->socket = p->stop = -1;
	memset(p->kept, -1, sizeof(p->kept));
}

/* The module reads which frames are free: no tree or group is taken as a whole, so their words never change. */
static int declare(struct upa_region *r)
{
	struct device_region *d = r->device;
	struct device_paging *p = d->paging;
	uint64_t children = parts(d->max_frames, UPA_CHILD_PAGES), trees = parts(children, UPA_TREE_CHILDREN);
	struct upadev_allocators a = { .pages = upa_device_describe(r, &r->llfree), .marks_offset = p->marks_offset };
	uint32_t *tree;

	a.frames = (struct upadev_allocator){ .units = d->max_frames, .bitmap_offset = p->bits_offset };
	a.frames.child_offset = p->words_offset;
	a.frames.tree_offset = a.frames.child_offset + children * 4;
	a.frames.group_offset = a.frames.tree_offset + trees * 4;
	tree = (uint32_t *)((char *)r->header + a.frames.tree_offset);
	for (uint64_t i = 0; i < trees; i++)
		tree[i] = UPADEV_TREE_OPEN;
	return upa_device_call(d, UPADEV_ALLOCATORS, &a);
}

/* ---- frames in hand ----------------------------------------------------------------------------- */

static void nap(void)
{
	struct timespec moment = { .tv_nsec = 50000 };

	os_call(SYS_nanosleep, (long)&moment, 0, 0, 0, 0, 0);
}

static void enter(struct device_paging *p)
{
	int n = atomic_load(&p->hands);

	while (n < 0 || !atomic_compare_exchange_weak(&p->hands, &n, n + 1)) {
		if (n < 0) {
			nap();
			n = atomic_load(&p->hands);
		}
	}
}

static void leave(struct device_paging *p)
{
	atomic_fetch_sub(&p->hands, 1);
}

bool upa_paged_exclude(struct device_paging *p)
{
	for (int tries = 0; tries < 200000; tries++) {
		int nobody = 0;

		if (atomic_compare_exchange_strong(&p->hands, &nobody, -1))
			return true;
		nap();
	}
	return false;
}

void upa_paged_include(struct device_paging *p)
{
	atomic_store(&p->hands, 0);
}

static void free_frame(struct device_paging *p, uint64_t frame)
{
	uint64_t bit = 1ull << frame % 64;

	/* What the pager says of its frames is his own affair: nothing is freed twice. */
	if (atomic_fetch_and(frame_row(p, frame), ~bit) & bit)
		atomic_fetch_sub(p->header, 1);
}

int upa_paged_mend(struct upa_region *r)
{
	struct device_region *d = r->device;
	uint64_t taken = 0;
	void *map = NULL;
	int error = upa_map_sparse(&map, d->max_frames);
	char *named = map;

	if (error)
		return error;
	for (uint64_t page = 0; page < r->llfree.pages; page++) {
		uint32_t word = __atomic_load_n(&d->words[page], __ATOMIC_ACQUIRE);
		uint64_t frame = in_memory(word)                      ? word - 1u :
				 (word & PAGED_KIND) == PAGED_LEAVING ? word & ~PAGED_KIND :
									d->max_frames;

		if (frame < d->max_frames)
			named[frame] = 1;
	}
	for (uint64_t f = 0; f < d->max_frames; f++) {
		uint64_t bit = 1ull << f % 64;

		if (named[f])
			atomic_fetch_or(frame_row(d->paging, f), bit);
		else
			atomic_fetch_and(frame_row(d->paging, f), ~bit);
		taken += (uint64_t)named[f];
	}
	atomic_store(d->paging->header, taken);
	os_munmap(map, d->max_frames);
	return 0;
}

/* ---- pages -------------------------------------------------------------------------------------- */

/* Pages for one shoot-down: the list of their frames is on the stack of a signal handler even. */
#define AT_ONCE 512u

/* Takes up to AT_ONCE held pages away from pager and memory. 0 or -errno: then they are as before, or fresh. */
static int empty_some(struct upa_region *r, uint64_t first, uint64_t pages)
{
	struct device_region *d = r->device;
	struct upadev_range range = { .page = first, .count = pages };
	uint32_t was[AT_ONCE];
	bool reachable = false;
	int error = 0;

	enter(d->paging);
	for (uint64_t i = 0; i < pages; i++) {
		was[i] = __atomic_exchange_n(&d->words[first + i], 0, __ATOMIC_SEQ_CST);
		/* The call by which it leaves may be in the middle. */
		reachable |= in_memory(was[i]) || (was[i] & PAGED_KIND) == PAGED_LEAVING;
	}
	if (reachable)
		error = upa_device_shoot_down(d, &range, 1);
	for (uint64_t i = 0; i < pages; i++) {
		if (error)
			__atomic_store_n(&d->words[first + i], in_memory(was[i]) || !was[i] ? was[i] : PAGED_FRESH,
					 __ATOMIC_RELEASE);
		else if (in_memory(was[i]) && was[i] <= d->max_frames)
			free_frame(d->paging, was[i] - 1u);
	}
	leave(d->paging);
	return error;
}

static int empty(struct upa_region *r, uint64_t first, uint64_t pages)
{
	int error = 0;

	for (uint64_t at = 0; !error && at < pages; at += AT_ONCE)
		error = empty_some(r, first + at, pages - at < AT_ONCE ? pages - at : AT_ONCE);
	/* After the words: the pager looks for what it need not know any more. */
	atomic_fetch_add(&r->device->paging->header[1], 1);
	return error;
}

static void freshen(struct upa_region *r, uint64_t first, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		UPA_ASSERT(!__atomic_load_n(&r->device->words[first + i], __ATOMIC_RELAXED));
		__atomic_store_n(&r->device->words[first + i], PAGED_FRESH, __ATOMIC_RELEASE);
	}
}

static int prepare(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags, uint32_t holds)
{
	(void)flags, (void)holds; /* zeros, from the pager, when they are touched */
	freshen(r, first, pages);
	return 0;
}

static int unmap(struct upa_region *r, uint64_t first, uint64_t pages)
{
	int error = held(r, first, pages) ? empty(r, first, pages) : -EINVAL;

	return error ? error : upa_llfree_put_run(&r->llfree, this_slot(), first, pages, UPA_PUT_ABSENT);
}

static int put(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags)
{
	(void)flags;
	return unmap(r, first, pages);
}

/* Nothing can be mapped over pages of the device. */
static int claim(struct upa_region *r, uint64_t first, uint64_t pages)
{
	put_back(r, first, pages, UPA_PUT_UNTOUCHED);
	return -EOPNOTSUPP;
}

static int renew(struct upa_region *r, uint64_t first, uint64_t pages)
{
	int error = empty(r, first, pages);

	if (!error)
		freshen(r, first, pages);
	return error;
}

/* No free page has old bytes. */
static void clear(struct upa_region *r, uint64_t first, uint64_t pages)
{
	(void)r, (void)first, (void)pages;
}

/* Where a page is stands in tables of the pager's, by its number: contents move by being copied, but for zeros. */
static int64_t relocate(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages, uint32_t flags)
{
	int64_t page = upa_llfree_get_run(&r->llfree, this_slot(), new_pages, r->preference);
	int error;

	(void)flags;
	if (page < 0)
		return page;
	freshen(r, (uint64_t)page, new_pages);
	for (uint64_t i = 0; i < old_pages; i++)
		if (__atomic_load_n(&r->device->words[first + i], __ATOMIC_ACQUIRE) != PAGED_FRESH)
			memcpy(address_of(r, (uint64_t)page + i), address_of(r, first + i), PAGE_BYTES);
	error = unmap(r, first, old_pages);
	if (error) {
		unmap(r, (uint64_t)page, new_pages);
		ADD(r, internal_puts, 1);
		count_shortage(r);
		return error;
	}
	ADD(r, moved_pages, old_pages);
	return page;
}

static int64_t give_back(struct upa_region *r, uint64_t retain)
{
	(void)r, (void)retain;
	return 0;
}

/* It would have to bring all pages in at once. */
static int make_ordinary(struct upa_region *r)
{
	(void)r;
	return -EOPNOTSUPP;
}

static uint64_t retained(const struct upa_region *r, uint64_t recorded)
{
	(void)r, (void)recorded;
	return 0;
}

static uint64_t uncounted(const struct upa_region *r)
{
	return atomic_load_explicit(r->device->paging->header, memory_order_relaxed);
}

static int64_t recover(struct upa_region *r)
{
	return upa_llfree_recover(&r->llfree);
}

#define FAULT(...) (snprintf(message, message_bytes, __VA_ARGS__), -EUCLEAN)

/* In a quiet region: the pager is idle or gone. What one that was killed had in hand is not named. */
static int validate(const struct upa_region *r, char *message, size_t message_bytes)
{
	const struct device_region *d = r->device;
	int error = upa_llfree_validate(&r->llfree, message, message_bytes);
	void *seen = NULL;
	uint64_t length;

	if (!error)
		error = upa_map_sparse(&seen, d->max_frames);
	for (uint64_t page = 0; !error && page < r->llfree.pages; page++) {
		uint32_t word = __atomic_load_n(&d->words[page], __ATOMIC_RELAXED);
		bool free = upa_llfree_next(&r->llfree, page, 1, true, &length) >= 0;
		unsigned long long number = page;

		if (free != !word)
			error = FAULT("page=%llu is %s, word=%x", number, free ? "free" : "held", word);
		else if (in_memory(word) && (word > d->max_frames || ((char *)seen)[word - 1]++ ||
					     !(atomic_load(frame_row(d->paging, word - 1)) >> (word - 1) % 64 & 1)))
			error = FAULT("page=%llu has frame=%u, which is free, elsewhere too, or none", number,
				      word - 1);
	}
	if (seen)
		os_munmap(seen, d->max_frames);
	return error;
}

static void close_paged(struct upa_region *r)
{
	struct device_paging *p = r->device->paging;

	if (p && p->end)
		p->end(r);
	upa_device_close(r);
}

const struct region_backend upa_paged = {
	.flags = UPA_REGION_PAGED,
	.prepares = true,
	.open = upa_device_open,
	.start = declare,
	.close = close_paged,
	.prepare = prepare,
	.unmap = unmap,
	.put = put,
	.claim = claim,
	.renew = renew,
	.clear = clear,
	.relocate = relocate,
	.give_back = give_back,
	.make_ordinary = make_ordinary,
	.retained = retained,
	.uncounted = uncounted,
	.recover = recover,
	.validate = validate,
};
