/*
 * UPADEV_MAP: installs what the shadow table says, replaces, passes over 0, and stops at entries
 * out of range. Any table, by calls and by faults, against a model.
 */
#include "harness.h"

static void installs_and_replaces(void)
{
	struct region r = guarded(1024, 1024);
	struct upadev_batch b;
	uint64_t page;

	for (page = 0; page < 1024; page++)
		r.shadow[page] = (uint32_t)page + 1;
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 0, 1024, &b), 0);
	CHECK_EQUAL(b.changed, 1024);
	CHECK_EQUAL(b.stopped_at, -1);
	for (page = 0; page < 1024; page++)
		*word(&r, page) = page + 1000;
	CHECK_EQUAL(stats(&r).faults, 0);

	/* Same entries: nothing to do, hence no shoot-down. */
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 0, 1024, &b), 0);
	CHECK_EQUAL(b.changed, 0);
	CHECK_EQUAL(stats(&r).shootdowns, 0);

	/* The pages in reverse order: contents follow the frames. */
	for (page = 0; page < 1024; page++)
		r.shadow[page] = 1024 - (uint32_t)page;
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 0, 1024, &b), 0);
	CHECK_EQUAL(b.changed, 1024);
	CHECK_EQUAL(stats(&r).shootdowns, 1);
	for (page = 0; page < 1024; page++)
		CHECK_EQUAL(*word(&r, page), 1023 - page + 1000);
}

static void passes_over_zero(void)
{
	struct region r = guarded(512, 512);
	struct upadev_batch b;

	r.shadow[3] = 1;
	CHECK_EQUAL(map_pages(&r, 3, 1), 0);
	*word(&r, 3) = 7;
	r.shadow[3] = 0;
	r.shadow[4] = 2;
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 0, 512, &b), 0);
	CHECK_EQUAL(b.changed, 1);
	CHECK_EQUAL(*word(&r, 3), 7); /* still installed: only UPADEV_UNMAP takes away */
	CHECK_EQUAL(touch(r.data + 5 * PAGE, false), SIGBUS);
}

static void stops_at_bad_entry(void)
{
	struct region r = guarded(1024, 512);
	struct upadev_batch b;

	r.shadow[510] = 1;
	r.shadow[511] = 2;
	r.shadow[512] = 513; /* frame 512 of 512 */
	r.shadow[513] = 3;
	errno = 0;
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 510, 4, &b), -1);
	CHECK_EQUAL(errno, EINVAL);
	CHECK_EQUAL(b.stopped_at, 512);
	CHECK_EQUAL(b.changed, 2);
	CHECK_EQUAL(touch(r.data + 512 * PAGE, true), SIGBUS);
	CHECK_EQUAL(touch(r.data + 510 * PAGE, true), 0);
	CHECK_EQUAL(touch(r.data + 513 * PAGE, true), 0); /* by a fault */
	r.shadow[512] = UINT32_MAX;
	CHECK_ERRNO(map_pages(&r, 512, 1), EINVAL);
	CHECK_EQUAL(touch(r.data + 512 * PAGE, true), SIGBUS);
}

static void one_frame_at_two_pages(void)
{
	struct region r = guarded(1024, 512);

	r.shadow[0] = 9;
	r.shadow[1000] = 9;
	*word(&r, 0) = 42;
	CHECK_EQUAL(*word(&r, 1000), 42);
	*word(&r, 1000) = 43;
	CHECK_EQUAL(*word(&r, 0), 43);
	r.shadow[0] = 0;
	CHECK_EQUAL(unmap_pages(&r, 0, 1), 0);
	CHECK_EQUAL(touch(r.data, false), SIGBUS);
	CHECK_EQUAL(*word(&r, 1000), 43);
}

#define TABLE 512U
#define FRAMES 1536U /* no power of two */

static uint32_t seed = 1;

static uint32_t below(uint32_t bound)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(seed >> 8) * bound >> 24);
}

/* Runs of frames, of nothing, and now and then a number that is out of range. */
static void fill_at_random(struct region *r)
{
	uint32_t page, end;

	for (page = 0; page < TABLE; page = end) {
		uint32_t kind = below(20);

		end = page + 1 + below(kind < 10 ? 20 : 200);
		if (end > TABLE)
			end = TABLE;
		for (uint32_t p = page; p < end; p++)
			r->shadow[p] = kind % 2 ? 0 : 1 + below(FRAMES);
		if (kind == 2)
			r->shadow[page] = below(2) ? FRAMES + 1 + below(1024) : UINT32_MAX;
	}
}

static bool is_good(uint32_t number)
{
	return number > 0 && number <= FRAMES;
}

/* Calls and faults over tables of any contents do what a model says. */
static void any_table(void)
{
	struct region r = guarded(2048, FRAMES);
	uint32_t there[TABLE] = { 0 }; /* frame + 1 */
	struct upadev_batch b;

	for (uint32_t page = 0; page < FRAMES; page++)
		r.shadow[512 + page] = page + 1;
	CHECK_EQUAL(map_pages(&r, 512, FRAMES), 0);
	for (uint32_t page = 0; page < FRAMES; page++)
		*word(&r, 512 + page) = page + 1;
	for (int round = 0; round < 1000; round++) {
		uint32_t page = below(TABLE), count = 1 + below(TABLE - page), p;
		uint64_t changed = 0, stopped = UINT64_MAX;

		fill_at_random(&r);
		switch (below(3)) {
		case 0:
			for (p = page; p < page + count; p++) {
				if (r.shadow[p] > FRAMES) {
					stopped = p;
					break;
				}
				if (r.shadow[p] && r.shadow[p] != there[p]) {
					there[p] = r.shadow[p];
					changed++;
				}
			}
			CHECK_EQUAL(batch(&r, UPADEV_MAP, page, count, &b),
				    stopped == UINT64_MAX ? 0 : -1);
			CHECK_EQUAL(b.changed, changed);
			CHECK_EQUAL(b.stopped_at, stopped);
			break;
		case 1:
			for (p = page; p < page + count; p++) {
				changed += there[p] != 0;
				there[p] = 0;
			}
			CHECK_EQUAL(batch(&r, UPADEV_UNMAP, page, count, &b), 0);
			CHECK_EQUAL(b.changed, changed);
			break;
		default:
			if (there[page] || !is_good(r.shadow[page]))
				break;
			changed = stats(&r).fault_pages;
			CHECK_EQUAL(touch(r.data + page * PAGE, false), 0);
			for (p = 0; p < TABLE; p++) {
				if (there[p] || !is_good(r.shadow[p]))
					continue;
				there[p] = r.shadow[p];
				changed++;
			}
			CHECK_EQUAL(stats(&r).fault_pages, changed);
		}
		for (p = 0; p < TABLE; p++)
			if (there[p])
				CHECK_EQUAL(*word(&r, p), there[p]);
	}
}

TESTS(CASE(installs_and_replaces), CASE(passes_over_zero), CASE(stops_at_bad_entry),
      CASE(one_frame_at_two_pages), CASE(any_table))
