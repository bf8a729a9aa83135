/*
 * UPADEV_ALLOCATORS: under memory pressure, and by UPADEV_RECLAIM, the kernel takes what the
 * process's allocators say is unused, down to single frames, and nothing else; without a call by
 * the process. unused_race.c has threads that change them meanwhile.
 */
#include "unused.h"

static void refusals(void)
{
	struct upadev_allocators good, a;
	struct region other;
	uint64_t children = PAGES / CHILD, words;

	place(0, PAGES, FRAMES);
	words = 2 + mark_words(&pages) + mark_words(&frames) + FRAMES / 64;
	good = declaration();
	CHECK_ERRNO(ioctl(r.fd, UPADEV_RECLAIM, &(struct upadev_reclaim){ .pages = 1 }),
		    EOPNOTSUPP);
#define BAD(change)                                                                                \
	do {                                                                                       \
		a = good;                                                                          \
		change;                                                                            \
		CHECK_ERRNO(ioctl(r.fd, UPADEV_ALLOCATORS, &a), EINVAL);                           \
	} while (0)
	BAD(a.pages.units = 0);
	BAD(a.pages.units = PAGES + 1);
	BAD(a.pages.units = UINT64_MAX);
	BAD(a.frames.units = 0);
	BAD(a.frames.units = FRAMES - 1);
	BAD(a.frames.units = FRAMES * 2);
	BAD(a.pages.group_offset = 2);
	BAD(a.pages.group_offset = STATE_BYTES);
	BAD(a.frames.group_offset = UINT64_MAX - 3);
	BAD(a.pages.tree_offset = 2);
	BAD(a.pages.tree_offset = STATE_BYTES - PAGES / TREE * 4 + 4);
	BAD(a.pages.tree_offset = UINT64_MAX - 3);
	BAD(a.pages.child_offset = STATE_BYTES - children * 4 + 4);
	BAD(a.pages.child_offset = 1);
	BAD(a.pages.bitmap_offset = 4);
	BAD(a.pages.bitmap_offset = STATE_BYTES - children * 128 + 8);
	BAD(a.pages.bitmap_offset = 1ULL << 63);
	BAD(a.frames.tree_offset = STATE_BYTES + 4);
	BAD(a.frames.child_offset = UINT64_MAX & ~3ULL);
	BAD(a.frames.bitmap_offset = STATE_BYTES);
	BAD(a.marks_offset = 4);
	BAD(a.marks_offset = STATE_BYTES - words * 8 + 8);
	BAD(a.marks_offset = UINT64_MAX & ~7ULL);
	BAD(a.reserved[0] = 1);
	BAD(a.reserved[4] = 1);
	CHECK_ERRNO(ioctl(r.fd, UPADEV_ALLOCATORS, NULL), EFAULT);
	CHECK_ERRNO(ioctl(open_device(), UPADEV_ALLOCATORS, &good), ENXIO);
	/* Up to the last byte. */
	a = good, a.marks_offset = STATE_BYTES - words * 8;
	CHECK_EQUAL(ioctl(r.fd, UPADEV_ALLOCATORS, &a), 0);
	CHECK_ERRNO(ioctl(r.fd, UPADEV_ALLOCATORS, &good), EBUSY);
	/* What the shadow table decides is not decided here as well. */
	other = make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, 512, 512, 512);
	a = (struct upadev_allocators){ .pages.units = 512,
					.frames.units = 512,
					.marks_offset = 1024 };
	CHECK_ERRNO(ioctl(other.fd, UPADEV_ALLOCATORS, &a), EBUSY);
	/* As small as can be; and no state at all. */
	other = make_region(UPADEV_GUARDED, 0, 512, 512, 512);
	a.pages.units = 1;
	CHECK_EQUAL(ioctl(other.fd, UPADEV_ALLOCATORS, &a), 0);
	other.fd = open_device();
	other.created = (struct upadev_create){ .version = UPADEV_ABI_VERSION,
						.pages = 512,
						.max_frames = 512 };
	CHECK_EQUAL(ioctl(other.fd, UPADEV_CREATE, &other.created), 0);
	CHECK_ERRNO(ioctl(other.fd, UPADEV_ALLOCATORS, &(struct upadev_allocators){ 0 }), EINVAL);
	CHECK_ERRNO(ioctl(other.fd, UPADEV_ALLOCATORS, &a), EINVAL);
}

static void raw_modes_refuse(void)
{
	struct region raw = make_region(UPADEV_RAW_PTE, 0, 512, 512, 512);

	CHECK_ERRNO(ioctl(raw.fd, UPADEV_ALLOCATORS, &(struct upadev_allocators){ 0 }), EOPNOTSUPP);
	CHECK_ERRNO(ioctl(raw.fd, UPADEV_RECLAIM, &(struct upadev_reclaim){ 0 }), EOPNOTSUPP);
}

/* Every second frame is in use: the others go, one by one, and nothing else changes. */
static void takes_single_frames(void)
{
	long before_all = free_pages();
	struct upadev_stats before;

	make(0, PAGES, FRAMES);
	for (uint64_t i = 0; i < FRAMES; i += 2)
		take(i, i);
	before = stats(&r);
	CHECK_EQUAL(reclaim(UINT64_MAX), FRAMES / 2);
	CHECK_EQUAL(reclaim(UINT64_MAX), 0);
	CHECK_EQUAL(stats(&r).reclaimed_pages, FRAMES / 2);
	CHECK_EQUAL(gone(), FRAMES / 2);
	CHECK_EQUAL(taken(), FRAMES / 2);
	if (before_all - free_pages() > (long)FRAMES * 3 / 4)
		FAIL("kept=%ld pages", before_all - free_pages());
	for (uint64_t i = 0; i < FRAMES; i++) {
		CHECK_EQUAL(absent(i), i % 2);
		CHECK_EQUAL(frame_marked(i), true);
		CHECK_EQUAL(page_marked(i), false);
		if (i % 2 == 0)
			check_tag(i, 100);
	}
	CHECK_EQUAL(stats(&r).faults, before.faults); /* what is in use stayed mapped */
	/* Taken into use, they come back, zeroed, by one fault each. */
	for (uint64_t i = 1; i < FRAMES; i += 2) {
		name(i, i);
		CHECK_EQUAL(word(&r, i)[0], 0);
		CHECK_EQUAL(word(&r, i)[511], 0);
		CHECK_EQUAL(absent(i), false);
		tag(i, 100);
	}
	CHECK_EQUAL(stats(&r).faults - before.faults, FRAMES / 2);
	CHECK_EQUAL(gone(), 0);
	for (uint64_t i = 0; i < FRAMES; i++)
		check_tag(i, 100);
	CHECK_EQUAL(reclaim(UINT64_MAX), 0);
}

/* What is brought back is one page; neighbours whose memory is there come by the next fault. */
static void brings_one_page_back(void)
{
	struct upadev_stats before;

	make(0, PAGES, FRAMES);
	for (uint64_t i = 0; i < 10; i++)
		name(i, i);
	CHECK_EQUAL(reclaim(UINT64_MAX), FRAMES - 10);
	before = stats(&r);
	take(10, 10);
	CHECK_EQUAL(stats(&r).faults - before.faults, 1);
	CHECK_EQUAL(stats(&r).fault_pages - before.fault_pages, 1);
	for (uint64_t i = 0; i < 10; i++)
		CHECK_EQUAL(word(&r, i)[0], 0);
	CHECK_EQUAL(stats(&r).faults - before.faults, 2);
	CHECK_EQUAL(stats(&r).fault_pages - before.fault_pages, 11);
	check_tag(10, 100);
}

/* Pages that were freed and kept their frames; the frames of those in use keep theirs. */
static void takes_deferred_pages(void)
{
	struct upadev_stats before;
	uint64_t free = 0;

	make(0, PAGES, FRAMES);
	for (uint64_t i = 0; i < FRAMES; i++)
		take(2 * i, FRAMES - 1 - i);
	for (uint64_t i = 0; i < FRAMES; i++) {
		if (i % 4 == 0) /* three quarters are free and kept */
			continue;
		unit_put(&pages, 2 * i);
		free++;
	}
	before = stats(&r);
	CHECK_EQUAL(reclaim(UINT64_MAX), free);
	CHECK_EQUAL(taken(), free);
	for (uint64_t i = 0; i < FRAMES; i++) {
		uint64_t frame = FRAMES - 1 - i;

		/* The words are the process's. */
		CHECK_EQUAL(unit_free(&pages, 2 * i), i % 4 != 0);
		CHECK_EQUAL(unit_free(&frames, frame), false);
		CHECK_EQUAL(r.shadow[2 * i], frame + 1);
		CHECK_EQUAL(absent(frame), i % 4 != 0);
		CHECK_EQUAL(page_marked(2 * i), true);
		CHECK_EQUAL(frame_marked(frame), false);
		if (i % 4 == 0)
			check_tag(2 * i, 100);
	}
	CHECK_EQUAL(stats(&r).faults, before.faults);
	/* One of them is used again as it is, another's frame elsewhere. */
	CHECK(unit_get(&pages, 2));
	CHECK_EQUAL(word(&r, 2)[7], 0);
	CHECK_EQUAL(map_pages(&r, 4, 1), 0);
	CHECK(unit_get(&pages, 4));
	CHECK(unit_get(&pages, 5));
	r.shadow[5] = r.shadow[4];
	r.shadow[4] = 0;
	CHECK_EQUAL(word(&r, 5)[7], 0);
	CHECK_EQUAL(touch(r.data + 4 * PAGE, false), SIGBUS);
	CHECK_EQUAL(gone(), free - 2);
}

/* All of a child, a tree or a group is taken and freed by one bit. */
static void polarities(void)
{
	make(0, GROUP + 3 * TREE, 512);
	for (uint64_t level = 0; level < 3; level++) {
		uint64_t unit[] = { GROUP + TREE + 77, GROUP + TREE + CHILD + 5, 1 };
		_Atomic uint32_t *words[] = { pages.child, pages.tree, pages.group };
		uint64_t size[] = { CHILD, TREE, GROUP };
		uint32_t bit = level ? UPADEV_NODE_POLARITY : UPADEV_CHILD_POLARITY;
		_Atomic uint32_t *at = &words[level][unit[level] / size[level]];

		if (level == 2)
			for (uint64_t t = 0; t < 16; t++)
				pages.tree[t] = 0; /* closed */
		CHECK_EQUAL(unit_free(&pages, unit[level]), true);
		*at ^= bit;
		CHECK_EQUAL(unit_free(&pages, unit[level]), false);
		CHECK(unit_get(&frames, level));
		r.shadow[unit[level]] = (uint32_t)level + 1;
		tag(unit[level], 300);
		reclaim(UINT64_MAX);
		CHECK_EQUAL(absent(level), false);
		check_tag(unit[level], 300);
		*at ^= bit;
		CHECK_EQUAL(reclaim(UINT64_MAX), 1);
		CHECK_EQUAL(absent(level), true);
		CHECK_EQUAL(page_marked(unit[level]), true);
	}
	/* Of an open tree the group says nothing. */
	pages.tree[3] = UPADEV_TREE_OPEN;
	pages.group[0] = UPADEV_NODE_POLARITY;
	CHECK(unit_get(&frames, 5));
	CHECK(unit_get(&pages, 3 * TREE));
	r.shadow[3 * TREE] = 6;
	tag(3 * TREE, 300);
	CHECK_EQUAL(reclaim(UINT64_MAX), 0);
	check_tag(3 * TREE, 300);
}

/* The last child is incomplete: bits of pages that do not exist say nothing. */
static void last_units(void)
{
	struct upadev_allocators a;

	place(0, 1024, 512);
	pages.where.units = 600;
	a = declaration();
	CHECK_EQUAL(ioctl(r.fd, UPADEV_ALLOCATORS, &a), 0);
	for (uint64_t i = 0; i < 512; i++)
		CHECK(unit_get(&frames, i));
	r.shadow[599] = 1;
	r.shadow[600] = 2;
	r.shadow[639] = 3;
	r.shadow[1023] = 4;
	tag(600, 1), tag(639, 1), tag(1023, 1);
	CHECK_EQUAL(reclaim(UINT64_MAX), 1);
	CHECK_EQUAL(absent(0), true);
	check_tag(600, 1), check_tag(639, 1), check_tag(1023, 1);
}

/* As under memory pressure, and no more than asked for by the call. */
static void takes_under_pressure(void)
{
	uint64_t some;

	make(0, PAGES, FRAMES);
	for (uint64_t i = 0; i < FRAMES; i++)
		take(i, i);
	for (uint64_t i = 0; i < FRAMES / 2; i++)
		unit_put(&pages, i);
	some = reclaim(100);
	CHECK(some >= 100 && some < 100 + 64);
	press();
	CHECK(stats(&r).reclaimed_pages > FRAMES / 4);
	for (uint64_t i = FRAMES / 2; i < FRAMES; i++)
		check_tag(i, 100);
}

/* A smaller pool has lost what was taken from its end; a larger one has memory there again. */
static void resizes(void)
{
	make(0, PAGES, FRAMES);
	take(0, 0);
	CHECK_EQUAL(reclaim(UINT64_MAX), FRAMES - 1);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 512 }), 0);
	CHECK_EQUAL(gone(), 511);
	CHECK_EQUAL(absent(512), false);
	CHECK_EQUAL(reclaim(UINT64_MAX), 0);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = FRAMES }), 0);
	CHECK_EQUAL(gone(), 511);
	check_tag(0, 100);
	CHECK_EQUAL(reclaim(UINT64_MAX), FRAMES - 512);
	munmap(r.data, r.created.data_bytes);
	CHECK_EQUAL(gone(), FRAMES - 1);
	CHECK_EQUAL(reclaim(UINT64_MAX), 0);
}

/*
 * A neighbour gets what is free and kept, by touching its own memory; the holder makes no call, and
 * faults for nothing that it uses.
 */
static void neighbour_gets_it(void)
{
	uint64_t kept = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * 3 / 4 / 512 * 512, used = kept / 4;
	uint64_t before, used_again;
	size_t want;
	pid_t child;

	make(0, kept, kept);
	for (uint64_t i = 0; i < kept; i++)
		take(i, i);
	for (uint64_t i = used; i < kept; i++)
		unit_put(&pages, i);
	before = stats(&r).faults;
	want = (size_t)kept * 3 / 5 * PAGE; /* more than is left beside the pool */
	child = fork();
	if (!child) {
		char *memory = mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				    -1, 0);

		CHECK(memory != MAP_FAILED);
		for (size_t at = 0; at < want; at += PAGE)
			memory[at] = 1;
		_exit(0);
	}
	CHECK_EQUAL(wait_status(child), 0);
	printf("# kept=%lu used=%lu neighbour=%zu taken=%lu\n", (unsigned long)kept,
	       (unsigned long)used, want / PAGE, (unsigned long)stats(&r).reclaimed_pages);
	CHECK(stats(&r).reclaimed_pages > kept / 8);
	CHECK_EQUAL(stats(&r).reclaimed_pages, taken());
	for (uint64_t i = 0; i < used; i++)
		check_tag(i, 100);
	CHECK_EQUAL(stats(&r).faults, before);
	/* Used again, each page faults once if its frame was taken, else holds what it held. */
	used_again = gone();
	CHECK_EQUAL(used_again, taken());
	for (uint64_t i = used; i < kept; i++) {
		bool lost = absent(i);

		CHECK_EQUAL(word(&r, i)[0], lost ? 0 : 100 + i);
	}
	CHECK_EQUAL(stats(&r).faults - before, used_again);
}

/* Tracking goes on: accessed and dirty bits of pages in use stay. */
static void keeps_tracked_bits(void)
{
	static uint64_t dirty[PAGES / 64];
	struct upadev_harvest h = { .count = PAGES, .dirty = (uintptr_t)dirty, .flags = 7 };

	make(UPADEV_CREATE_TRACK, PAGES, FRAMES);
	for (uint64_t i = 0; i < FRAMES / 2; i++)
		take(i, i);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_HARVEST, &h), 0);
	for (uint64_t i = 0; i < FRAMES / 2; i += 3)
		tag(i, 200);
	CHECK_EQUAL(reclaim(UINT64_MAX), FRAMES / 2);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_HARVEST, &h), 0);
	CHECK_EQUAL(h.dirty_pages, (FRAMES / 2 + 2) / 3);
	for (uint64_t i = 0; i < FRAMES / 2; i++)
		CHECK_EQUAL(dirty[i / 64] >> i % 64 & 1, i % 3 == 0);
}

/* A manager has the descriptor and no other right: it takes what the owner has declared unused. */
static void by_a_manager(void)
{
	pid_t child;

	make(0, PAGES, FRAMES);
	for (uint64_t i = 0; i < FRAMES / 2; i++)
		take(i, i);
	child = fork();
	if (!child) {
		CHECK_EQUAL(reclaim(1024), 1024);
		CHECK_ERRNO(unmap_pages(&r, 0, 1), EPERM);
		CHECK_ERRNO(ioctl(r.fd, UPADEV_ALLOCATORS, NULL), EPERM);
		_exit(0);
	}
	CHECK_EQUAL(wait_status(child), 0);
	CHECK_EQUAL(reclaim(UINT64_MAX), FRAMES / 2 - 1024);
	for (uint64_t i = 0; i < FRAMES / 2; i++)
		check_tag(i, 100);
	/* Without a declaration. */
	r = make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, 512, 512, 512);
	child = fork();
	if (!child) {
		CHECK_ERRNO(ioctl(r.fd, UPADEV_RECLAIM, &(struct upadev_reclaim){ .pages = 1 }),
			    EPERM);
		_exit(0);
	}
	CHECK_EQUAL(wait_status(child), 0);
}

/* When the owner has ended, its descriptor with the manager: its words still say what is free. */
static void after_the_owners_end(void)
{
	int fds[2];
	pid_t owner;
	char byte;

	CHECK_EQUAL(pipe(fds), 0);
	owner = fork();
	if (!owner) {
		pid_t manager;

		make(0, PAGES, FRAMES);
		for (uint64_t i = 0; i < FRAMES / 2; i++)
			take(i, i);
		owner = getpid();
		manager = fork();
		if (!manager) {
			while (getppid() == owner)
				usleep(1000);
			CHECK_EQUAL(reclaim(UINT64_MAX), FRAMES / 2);
			CHECK_EQUAL(write(fds[1], "k", 1), 1);
		}
		_exit(0);
	}
	close(fds[1]);
	CHECK_EQUAL(wait_status(owner), 0);
	CHECK_EQUAL(read(fds[0], &byte, 1), 1);
}

TESTS(CASE(refusals), CASE(raw_modes_refuse), CASE(takes_single_frames), CASE(brings_one_page_back),
      CASE(takes_deferred_pages), CASE(polarities), CASE(last_units), CASE(takes_under_pressure),
      CASE(resizes), CASE(neighbour_gets_it), CASE(keeps_tracked_bits), CASE(by_a_manager),
      CASE(after_the_owners_end))
