/*
 * What a pager does to pages: contents and frames that come and go, bits and mappings, and all that
 * is refused.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include "allocator.h"
#include "cgroup.h"
#include "pager.h"

#define FRAMES 1024

static uint64_t contents[PAGE / 8];

static const unsigned long both[] = { UPADEV_PAGE_IN, UPADEV_PAGE_OUT };

static void refuses_wrong_calls(void)
{
	int pager;
	struct region r = paged_region(FRAMES, 0, &pager);
	struct upadev_transfer t = { .away = AWAY(0), .frame = 3 };
	const struct upadev_paging good = { .transfers = (uintptr_t)&t, .count = 1 };
	struct upadev_paging p;
	void *nowhere = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int out = 0; out < 2; out++) {
		uint32_t before = out ? 4 : AWAY(0);

		r.shadow[0] = before;
		CHECK_ERRNO(ioctl(pager, both[out], NULL), EFAULT);
		p = good, p.count = 0;
		CHECK_ERRNO(ioctl(pager, both[out], &p), EINVAL);
		p = good, p.count = UPADEV_MAX_RANGES + 1;
		CHECK_ERRNO(ioctl(pager, both[out], &p), EINVAL);
		for (uint32_t bit = 1; bit; bit <<= 1) {
			p = good, p.flags = bit;
			CHECK_ERRNO(ioctl(pager, both[out], &p), EINVAL);
		}
		for (int i = 0; i < 2; i++) {
			p = good, p.reserved[i] = 1ULL << 40;
			CHECK_ERRNO(ioctl(pager, both[out], &p), EINVAL);
		}
		p = good, p.transfers = (uintptr_t)nowhere, p.done = 5;
		CHECK_ERRNO(ioctl(pager, both[out], &p), EFAULT);
		CHECK_EQUAL(p.done, 0);
		CHECK_EQUAL(r.shadow[0], before);
		p = good;
		CHECK_EQUAL(ioctl(pager, both[out], &p), 0);
		CHECK_EQUAL(p.done, 1);
		CHECK_EQUAL(r.shadow[0], out ? AWAY(0) : 4);
		CHECK_ERRNO(ioctl(r.fd, both[out], &p), ENOTTY);
	}
	/* Those that it shares with the owner refuse the same. */
	for (int map = 0; map < 2; map++) {
		struct region as = { .fd = pager };
		unsigned long call = map ? UPADEV_MAP : UPADEV_UNMAP;
		struct upadev_batch b;

		CHECK_ERRNO(batch(&as, call, 0, 0, &b), EINVAL);
		CHECK_ERRNO(batch(&as, call, FRAMES, 1, &b), EINVAL);
		CHECK_ERRNO(batch(&as, call, 1, FRAMES, &b), EINVAL);
		CHECK_ERRNO(ioctl(pager, call, NULL), EFAULT);
		b = (struct upadev_batch){ .ranges = (uintptr_t)nowhere, .count = 1 };
		CHECK_ERRNO(ioctl(pager, call, &b), EFAULT);
		b.flags = 2;
		CHECK_ERRNO(ioctl(pager, call, &b), EINVAL);
	}
	CHECK_ERRNO(ioctl(pager, UPADEV_HARVEST, NULL), EFAULT);
	CHECK_ERRNO(ioctl(pager, UPADEV_HARVEST, &(struct upadev_harvest){ .count = FRAMES + 1 }),
		    EINVAL);
	CHECK_ERRNO(ioctl(pager, UPADEV_HARVEST,
			  &(struct upadev_harvest){ .count = 1, .dirty = (uintptr_t)nowhere }),
		    EFAULT);
}

/* Each by itself, the good ones among them too. */
static void refuses_wrong_transfers(void)
{
	int pager;
	struct region r = paged_region(FRAMES, 0, &pager);
	void *nowhere = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int out = 0; out < 2; out++) {
		const struct upadev_transfer good = { .away = AWAY(5), .frame = 7 };
		uint32_t before = out ? 8 : AWAY(5), after = out ? AWAY(5) : 8;
		struct upadev_transfer t[16];
		int expected[16], n = 0;
		uint64_t done;

		for (int i = 0; i < FRAMES; i++)
			r.shadow[i] = before;
		r.shadow[30] = after;
		r.shadow[31] = 0;
		r.shadow[33] = FRAMES + 1;
		t[n] = good, t[n].page = FRAMES, expected[n++] = EINVAL;
		t[n] = good, t[n].page = ~0ULL, expected[n++] = EINVAL;
		t[n] = good, t[n].frame = FRAMES, expected[n++] = EINVAL;
		t[n] = good, t[n].frame = ~0U - 1, expected[n++] = EINVAL;
		t[n] = good, t[n].page = 20, t[n].result = 77, expected[n++] = 0;
		t[n] = good, t[n].page = 31, t[n].away = 0, expected[n++] = EINVAL;
		t[n] = good, t[n].page = 30, t[n].away = 8, expected[n++] = EINVAL;
		t[n] = good, t[n].page = 9, t[n].away = ~0U, expected[n++] = EINVAL;
		t[n] = good, t[n].page = 9, t[n].flags = 1, expected[n++] = EINVAL;
		t[n] = good, t[n].page = 9, expected[n++] = EAGAIN;
		if (out)
			t[n - 1].frame = 6;
		else
			t[n - 1].away = AWAY(6);
		t[n] = good, t[n].page = 30, expected[n++] = EAGAIN;
		t[n] = good, t[n].page = 31, expected[n++] = EAGAIN;
		t[n] = good, t[n].page = 33, expected[n++] = EAGAIN;
		t[n] = good, t[n].page = 32, t[n].buffer = (uintptr_t)nowhere,
		expected[n++] = EFAULT;
		t[n] = good, t[n].page = 9, t[n].frame = UPADEV_ANY_FRAME,
		expected[n++] = out ? 0 : EINVAL;
		t[n] = good, t[n].page = 21, expected[n++] = 0;
		CHECK_EQUAL(n, 16);
		CHECK_EQUAL(paging(pager, both[out], t, 16, &done), 0);
		CHECK_EQUAL(done, 2 + out);
		for (int i = 0; i < n; i++)
			if (t[i].result != -expected[i])
				FAIL("out=%d transfer %d: result=%d, expected %d", out, i,
				     t[i].result, -expected[i]);
		if (out)
			CHECK_EQUAL(t[14].frame, 7);
		for (int i = 0; i < FRAMES; i++)
			CHECK_EQUAL(r.shadow[i], i == 20 || i == 21 || (out && i == 9) ? after :
						 i == 30                               ? after :
						 i == 31                               ? 0 :
						 i == 33 ? FRAMES + 1 :
							   before);
	}
}

/* A frame of which the transfer is refused keeps what it holds. */
static void stale_transfers_write_nothing(void)
{
	int pager;
	struct region r = paged_region(FRAMES, 0, &pager);

	r.shadow[0] = 1;
	*word(&r, 0) = 4711;
	r.shadow[1] = AWAY(1);
	fill(contents, 5);
	CHECK_EQUAL(page_in(pager, 1, AWAY(2), 0, contents), EAGAIN);
	CHECK_EQUAL(*word(&r, 0), 4711);
	/* Without contents it keeps them as well: the page is back as it was. */
	CHECK_EQUAL(page_in(pager, 1, AWAY(1), 0, NULL), 0);
	CHECK_EQUAL(*word(&r, 1), 4711);
	CHECK_EQUAL(*word(&r, 0), 4711);
}

/* More than are done at once, each to a frame of its own. */
static void many_at_once(void)
{
	int pager;
	struct region r = paged_region(FRAMES, 0, &pager);
	static struct upadev_transfer t[FRAMES];
	uint64_t *all = mmap(NULL, FRAMES * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		 done;

	for (uint32_t i = 0; i < FRAMES; i++) {
		r.shadow[i] = AWAY(i);
		fill(all + i * (PAGE / 8), i * 100000);
		t[i] = (struct upadev_transfer){ .page = i,
						 .buffer = (uintptr_t)(all + i * (PAGE / 8)),
						 .away = AWAY(i),
						 .frame = i ^ 511 };
	}
	CHECK_EQUAL(paging(pager, UPADEV_PAGE_IN, t, FRAMES, &done), 0);
	CHECK_EQUAL(done, FRAMES);
	for (uint32_t i = 0; i < FRAMES; i++) {
		CHECK_EQUAL(r.shadow[i], (i ^ 511) + 1);
		if (!filled(word(&r, i), i * 100000))
			FAIL("page=%u", i);
	}
	/* The second half of a call lies in memory that is not there. */
	for (uint32_t i = 0; i < 32; i++)
		r.shadow[i] = AWAY(i);
	unsigned char *edge =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK_EQUAL(munmap(edge + PAGE, PAGE), 0);
	edge += PAGE - 16 * sizeof(*t);
	memcpy(edge, t, 16 * sizeof(*t));
	CHECK_ERRNO(paging(pager, UPADEV_PAGE_IN, (void *)edge, 32, &done), EFAULT);
	CHECK_EQUAL(done, 16);
	for (uint32_t i = 0; i < 32; i++)
		CHECK_EQUAL(r.shadow[i], i < 16 ? (i ^ 511) + 1 : AWAY(i));
}

/* Pages of a block have no entries of their own. */
static void blocks_are_whole(void)
{
	int pager;
	struct region r = paged_region(FRAMES, UPADEV_CREATE_BLOCKS, &pager);

	r.shadow[512] = UPADEV_SHADOW_BLOCK | 1;
	r.shadow[513] = AWAY(1);
	r.shadow[0] = UPADEV_SHADOW_BLOCK | UPADEV_SHADOW_AWAY; /* no block, nor away */
	CHECK_EQUAL(page_in(pager, 513, AWAY(1), 0, contents), EAGAIN);
	CHECK_EQUAL(r.shadow[513], AWAY(1));
	CHECK_EQUAL(touch(r.data + 513 * PAGE, true), 0);
	CHECK_EQUAL(touch(r.data, true), SIGBUS);
	r.shadow[0] = 0;
	r.shadow[1] = AWAY(1);
	fill(contents, 3);
	CHECK_EQUAL(page_in(pager, 1, AWAY(1), 5, contents), 0);
	CHECK(filled(word(&r, 1), 3));
}

/* A pool that has become smaller. */
static void frames_that_left(void)
{
	int pager;
	struct region r = paged_region(FRAMES, 0, &pager);

	r.shadow[0] = AWAY(1);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 512 }), 0);
	CHECK_EQUAL(page_in(pager, 0, AWAY(1), 512, contents), EINVAL);
	CHECK_EQUAL(page_in(pager, 0, AWAY(1), 511, contents), 0);
}

/* ---- pages that go ---- */

/* Gone with their contents, and unreachable; then back in other frames. */
static void goes_and_comes(void)
{
	int pager;
	struct region r = paged_region(FRAMES, 0, &pager);
	static struct upadev_transfer t[512];
	uint64_t *store = mmap(NULL, 512 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		 done;
	uint64_t flushes;

	for (uint32_t i = 0; i < 512; i++) {
		r.shadow[i] = i + 1;
		fill((uint64_t *)word(&r, i), i * 1000);
		t[i] = (struct upadev_transfer){ .page = i,
						 .buffer = (uintptr_t)(store + i * 512),
						 .away = AWAY(i),
						 .frame = i % 2 ? i : UPADEV_ANY_FRAME };
	}
	flushes = stats(&r).shootdowns;
	CHECK_EQUAL(paging(pager, UPADEV_PAGE_OUT, t, 512, &done), 0);
	CHECK_EQUAL(done, 512);
	CHECK_EQUAL(stats(&r).paged_out, 512);
	CHECK(stats(&r).shootdowns > flushes && stats(&r).shootdowns <= flushes + 32);
	for (uint32_t i = 0; i < 512; i++) {
		CHECK_EQUAL(t[i].frame, i);
		CHECK_EQUAL(t[i].flags, 0); /* nothing is known without tracking */
		CHECK_EQUAL(r.shadow[i], AWAY(i));
		CHECK(filled(store + i * 512, i * 1000));
		t[i].frame = 512 + (i ^ 3);
	}
	start_touch(&(struct toucher){ 0 }, &r, 100, true);
	await_touches(&r, 1); /* it does not reach the frame any more */
	CHECK_EQUAL(paging(pager, UPADEV_PAGE_IN, t, 512, &done), 0);
	CHECK_EQUAL(done, 512);
	for (uint32_t i = 0; i < 512; i++)
		if (i != 100 && !filled(word(&r, i), i * 1000))
			FAIL("page=%u", i);
}

/* Without a copy the frame keeps it, for whoever is the pager then. */
static void rescued_by_the_next(void)
{
	int pager;
	struct region r = paged_region(FRAMES, 0, &pager);
	uint32_t frame = UPADEV_ANY_FRAME;

	r.shadow[9] = 78;
	fill((uint64_t *)word(&r, 9), 4);
	CHECK_EQUAL(page_out(pager, 9, AWAY(77), &frame, NULL), 0);
	CHECK_EQUAL(frame, 77);
	close(pager);
	CHECK_EQUAL(touch(r.data + 9 * PAGE, false), SIGBUS);
	pager = admit(&r, 0);
	CHECK_EQUAL(page_in(pager, 9, AWAY(77), 77, NULL), 0);
	CHECK(filled(word(&r, 9), 4));
}

/* What could not be handed over has not gone. */
static void puts_back(void)
{
	int pager;
	struct region r = paged_region(FRAMES, 0, &pager);
	unsigned char *edge =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct upadev_transfer t[3], *fixed;
	void *nowhere = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t done;

	for (uint32_t i = 0; i < 3; i++) {
		r.shadow[i] = i + 1;
		fill((uint64_t *)word(&r, i), i);
		t[i] = (struct upadev_transfer){ .page = i,
						 .buffer = (uintptr_t)(i == 1 ? nowhere : edge),
						 .away = AWAY(0),
						 .frame = i };
	}
	CHECK_EQUAL(paging(pager, UPADEV_PAGE_OUT, t, 3, &done), 0);
	CHECK_EQUAL(done, 2);
	CHECK_EQUAL(t[1].result, -EFAULT);
	CHECK_EQUAL(r.shadow[0], AWAY(0));
	CHECK_EQUAL(r.shadow[1], 2);
	CHECK_EQUAL(r.shadow[2], AWAY(0));
	CHECK(filled(word(&r, 1), 1));
	/* Results that cannot be written: none of them has. */
	for (uint32_t i = 0; i < 2; i++)
		CHECK_EQUAL(page_in(pager, i * 2, AWAY(0), i * 2, NULL), 0);
	fixed = (void *)edge;
	memcpy(fixed, t, sizeof(t));
	for (int i = 0; i < 3; i++)
		fixed[i].buffer = (uintptr_t)contents;
	CHECK_EQUAL(mprotect(edge, PAGE, PROT_READ), 0);
	CHECK_ERRNO(paging(pager, UPADEV_PAGE_OUT, fixed, 3, &done), EFAULT);
	CHECK_EQUAL(done, 0);
	for (uint32_t i = 0; i < 3; i++) {
		CHECK_EQUAL(r.shadow[i], i + 1);
		CHECK(filled(word(&r, i), i));
	}
	CHECK_EQUAL(readable(pager, 0), 0);
}

/* Dirty or not is told as of the instant at which the page has gone. */
static void tells_clean_ones(void)
{
	int pager;
	struct region r = paged_region(FRAMES, UPADEV_CREATE_TRACK, &pager);
	struct upadev_transfer t[5];
	struct region as = { .fd = pager };
	uint64_t dirty[1];
	struct upadev_harvest h = { .count = 5, .dirty = (uintptr_t)dirty };

	for (uint32_t i = 0; i < 5; i++) {
		r.shadow[i] = i + 1;
		t[i] = (struct upadev_transfer){ .page = i, .away = AWAY(i), .frame = i };
	}
	(void)*word(&r, 0); /* all are installed */
	*word(&r, 1) = 1;
	*word(&r, 2) = 1;
	CHECK_EQUAL(ioctl(pager, UPADEV_HARVEST, &h), 0);
	CHECK_EQUAL(dirty[0], 6);
	CHECK_EQUAL(h.dirty_pages, 2);
	CHECK_EQUAL(h.accessed_pages, 3);
	h = (struct upadev_harvest){ .page = 2, .count = 1, .flags = UPADEV_HARVEST_CLEAR_DIRTY };
	CHECK_EQUAL(ioctl(pager, UPADEV_HARVEST, &h), 0);
	CHECK_EQUAL(unmap_pages(&as, 3, 1), 0); /* then nothing is known of it */
	r.shadow[4] = 100;                      /* what is installed is another frame */
	t[4].frame = 99;
	CHECK_EQUAL(paging(pager, UPADEV_PAGE_OUT, t, 5, NULL), 0);
	CHECK_EQUAL(t[0].flags, UPADEV_TRANSFER_CLEAN);
	CHECK_EQUAL(t[1].flags, 0);
	CHECK_EQUAL(t[2].flags, UPADEV_TRANSFER_CLEAN);
	CHECK_EQUAL(t[3].flags, 0);
	CHECK_EQUAL(t[4].flags, 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQUAL(t[i].result, 0);
}

/* By another process: what it empties faults again, what it maps does not. */
static void maps_and_unmaps(void)
{
	int pager;
	struct region r = paged_region(FRAMES, 0, &pager), as = { .fd = pager };
	int go[2];
	pid_t child;

	r.shadow[0] = 1;
	*word(&r, 0) = 5;
	r.shadow[0] = 2;
	r.shadow[600] = 3;
	CHECK_EQUAL(pipe(go), 0);
	child = fork();
	if (!child) {
		struct upadev_batch b;

		CHECK_EQUAL(read(go[0], &(char){ 0 }, 1), 1);
		CHECK_ERRNO(unmap_pages(&r, 0, 1), EPERM);
		CHECK_EQUAL(batch(&as, UPADEV_UNMAP, 0, 512, &b), 0);
		CHECK_EQUAL(b.changed, 1);
		CHECK_EQUAL(batch(&as, UPADEV_MAP, 600, 1, &b), 0);
		CHECK_EQUAL(b.changed, 1);
		exit(0);
	}
	CHECK_EQUAL(*word(&r, 0), 5);
	CHECK_EQUAL(write(go[1], "x", 1), 1);
	CHECK_EQUAL(wait_status(child), 0);
	CHECK_EQUAL(*word(&r, 0), 0);
	CHECK_EQUAL(stats(&r).faults, 2);
	*word(&r, 600) = 1;
	CHECK_EQUAL(stats(&r).faults, 2);
	CHECK_EQUAL(dismiss(&r, 0), 0);
	CHECK_ERRNO(unmap_pages(&as, 0, 1), ESHUTDOWN);
	CHECK_ERRNO(map_pages(&as, 0, 1), ESHUTDOWN);
	CHECK_ERRNO(ioctl(pager, UPADEV_HARVEST, &(struct upadev_harvest){ .count = 1 }),
		    ESHUTDOWN);
}

/* Entries of 2 MiB that the shadow table says no more, and blocks that it does. */
static void out_of_blocks(void)
{
	int pager;
	struct region r = paged_region(FRAMES, UPADEV_CREATE_BLOCKS, &pager);
	uint32_t frame = UPADEV_ANY_FRAME;

	r.shadow[0] = UPADEV_SHADOW_BLOCK | 0;
	for (uint32_t i = 1; i < 512; i++)
		r.shadow[i] = i + 1;
	*word(&r, 5) = 55;
	CHECK_EQUAL(stats(&r).block_entries, 1);
	CHECK_EQUAL(page_out(pager, 5, AWAY(0), &frame, contents), EAGAIN);
	CHECK_EQUAL(r.shadow[5], 6);
	r.shadow[0] = 1; /* now they are single pages */
	CHECK_EQUAL(page_out(pager, 5, AWAY(0), &frame, contents), 0);
	CHECK_EQUAL(frame, 5);
	CHECK_EQUAL(contents[0], 55);
	start_touch(&(struct toucher){ 0 }, &r, 5, true);
	await_touches(&r, 1);
}

/* ---- frames without memory, and those that are in use ---- */

static void brings_memory(void)
{
	int pager;
	struct region r = make_region_with(UPADEV_GUARDED, 0, FRAMES, FRAMES, FRAMES, 16 * PAGE);
	struct allocator pages, frames;
	struct upadev_allocators a = { 0 };
	struct upadev_reclaim taken = { .pages = FRAMES };
	uint32_t frame = UPADEV_ANY_FRAME;
	uint64_t end;

	end = allocator_place(&pages, &r, 0, FRAMES);
	end = allocator_place(&frames, &r, end, FRAMES);
	a.pages = pages.where, a.frames = frames.where, a.marks_offset = end;
	for (uint64_t f = 0; f < 100; f++)
		unit_put(&frames, f);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_ALLOCATORS, &a), 0);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM, &taken), 0);
	CHECK_EQUAL(taken.gone, 100);
	pager = admit(&r, 0);
	CHECK(unit_get(&frames, 7));
	r.shadow[1] = AWAY(0);
	fill(contents, 6);
	CHECK_EQUAL(page_in(pager, 1, AWAY(0), 7, contents), 0);
	taken.pages = 0;
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM, &taken), 0);
	CHECK_EQUAL(taken.gone, 99);
	CHECK(filled(word(&r, 1), 6));
	/* And one that goes without having any reads zero. */
	CHECK(unit_get(&frames, 8));
	r.shadow[2] = 9;
	CHECK_EQUAL(page_out(pager, 2, AWAY(0), &frame, contents), 0);
	CHECK_EQUAL(frame, 8);
	for (int i = 0; i < 512; i++)
		CHECK_EQUAL(contents[i], 0);
}

#define CURRENT "/sys/fs/cgroup/paging/memory.current"

/* What a pager brings is charged to the owner's cgroup, not to its own. */
static void charged_to_the_owner(void)
{
	static struct upadev_transfer t[FRAMES];
	int told[2], pager, pidfd;
	long before;
	pid_t owner;
	uint64_t done;

	if (mkdir("/sys/fs/cgroup/paging", 0755) && errno != EEXIST)
		skip("no cgroup v2");
	cgroup_put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	CHECK_EQUAL(pipe(told), 0);
	owner = fork();
	if (!owner) {
		struct upadev_allocators a = { 0 };
		struct allocator pages, frames;
		struct region r;

		cgroup_put("/sys/fs/cgroup/paging/cgroup.procs", "0");
		r = make_region_with(UPADEV_GUARDED, 0, FRAMES, FRAMES, FRAMES, 16 * PAGE);
		a.marks_offset = allocator_place(&frames, &r,
						 allocator_place(&pages, &r, 0, FRAMES), FRAMES);
		a.pages = pages.where, a.frames = frames.where;
		for (uint64_t f = 0; f < FRAMES; f++)
			unit_put(&frames, f);
		CHECK_EQUAL(ioctl(r.fd, UPADEV_ALLOCATORS, &a), 0);
		CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM,
				  &(struct upadev_reclaim){ .pages = FRAMES }),
			    0);
		for (uint64_t f = 0; f < FRAMES; f++) {
			CHECK(unit_get(&frames, f));
			r.shadow[f] = AWAY(0);
		}
		pager = admit(&r, 0);
		CHECK_EQUAL(write(told[1], &pager, sizeof(pager)), sizeof(pager));
		pause();
	}
	CHECK_EQUAL(read(told[0], &pager, sizeof(pager)), sizeof(pager));
	pidfd = (int)syscall(SYS_pidfd_open, owner, 0);
	pager = (int)syscall(SYS_pidfd_getfd, pidfd, pager, 0);
	CHECK(pager >= 0);
	before = cgroup_value(CURRENT);
	for (uint32_t i = 0; i < FRAMES; i++)
		t[i] = (struct upadev_transfer){ .page = i, .away = AWAY(0), .frame = i };
	CHECK_EQUAL(paging(pager, UPADEV_PAGE_IN, t, FRAMES, &done), 0);
	CHECK_EQUAL(done, FRAMES);
	if (cgroup_value(CURRENT) - before < FRAMES * 4096 * 3 / 4)
		FAIL("memory.current=%ld, before %ld", cgroup_value(CURRENT), before);
	kill(owner, SIGKILL);
	CHECK_EQUAL(wait_status(owner), SIGKILL);
}

TESTS(CASE(refuses_wrong_calls), CASE(refuses_wrong_transfers), CASE(stale_transfers_write_nothing),
      CASE(many_at_once), CASE(blocks_are_whole), CASE(frames_that_left), CASE(goes_and_comes),
      CASE(rescued_by_the_next), CASE(puts_back), CASE(tells_clean_ones), CASE(maps_and_unmaps),
      CASE(out_of_blocks), CASE(brings_memory), CASE(charged_to_the_owner))
