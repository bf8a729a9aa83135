/* What a pager does to pages: the contents and frames that come, and all that is refused. */
#include "allocator.h"
#include "pager.h"

#define FRAMES 1024

static uint64_t contents[PAGE / 8];

static struct region with_pager(uint32_t flags, int *pager)
{
	struct region r = make_region(UPADEV_GUARDED, flags, FRAMES, FRAMES, FRAMES);

	*pager = admit(&r, 0);
	CHECK(*pager >= 0);
	return r;
}

static void refuses_wrong_calls(void)
{
	int pager;
	struct region r = with_pager(0, &pager);
	struct upadev_transfer t = { .away = AWAY(0), .frame = 3 };
	const struct upadev_paging good = { .transfers = (uintptr_t)&t, .count = 1 };
	struct upadev_paging p;
	void *nowhere = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	r.shadow[0] = AWAY(0);
	CHECK_ERRNO(ioctl(pager, UPADEV_PAGE_IN, NULL), EFAULT);
	p = good, p.count = 0;
	CHECK_ERRNO(ioctl(pager, UPADEV_PAGE_IN, &p), EINVAL);
	p = good, p.count = UPADEV_MAX_RANGES + 1;
	CHECK_ERRNO(ioctl(pager, UPADEV_PAGE_IN, &p), EINVAL);
	for (uint32_t bit = 1; bit; bit <<= 1) {
		p = good, p.flags = bit;
		CHECK_ERRNO(ioctl(pager, UPADEV_PAGE_IN, &p), EINVAL);
	}
	for (int i = 0; i < 2; i++) {
		p = good, p.reserved[i] = 1ULL << 40;
		CHECK_ERRNO(ioctl(pager, UPADEV_PAGE_IN, &p), EINVAL);
	}
	p = good, p.transfers = (uintptr_t)nowhere, p.done = 5;
	CHECK_ERRNO(ioctl(pager, UPADEV_PAGE_IN, &p), EFAULT);
	CHECK_EQUAL(p.done, 0);
	CHECK_EQUAL(r.shadow[0], AWAY(0));
	p = good;
	CHECK_EQUAL(ioctl(pager, UPADEV_PAGE_IN, &p), 0);
	CHECK_EQUAL(p.done, 1);
	CHECK_EQUAL(r.shadow[0], 4);
}

/* Each by itself, the good ones among them too. */
static void refuses_wrong_transfers(void)
{
	int pager;
	struct region r = with_pager(0, &pager);
	void *nowhere = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct upadev_transfer good = { .away = AWAY(5), .frame = 7 };
	struct upadev_transfer t[14];
	int expected[14], n = 0;
	uint64_t done;

	for (int i = 0; i < FRAMES; i++)
		r.shadow[i] = AWAY(5);
	r.shadow[30] = 8;
	r.shadow[31] = 0;
	t[n] = good, t[n].page = FRAMES, expected[n++] = EINVAL;
	t[n] = good, t[n].page = ~0ULL, expected[n++] = EINVAL;
	t[n] = good, t[n].frame = FRAMES, expected[n++] = EINVAL;
	t[n] = good, t[n].frame = ~0U, expected[n++] = EINVAL;
	t[n] = good, t[n].page = 20, t[n].result = 77, expected[n++] = 0;
	t[n] = good, t[n].page = 31, t[n].away = 0, expected[n++] = EINVAL;
	t[n] = good, t[n].page = 30, t[n].away = 8, expected[n++] = EINVAL;
	t[n] = good, t[n].page = 9, t[n].away = ~0U, expected[n++] = EINVAL;
	t[n] = good, t[n].page = 9, t[n].pad = 1, expected[n++] = EINVAL;
	t[n] = good, t[n].page = 9, t[n].away = AWAY(6), expected[n++] = EAGAIN;
	t[n] = good, t[n].page = 30, expected[n++] = EAGAIN;
	t[n] = good, t[n].page = 31, expected[n++] = EAGAIN;
	t[n] = good, t[n].page = 32, t[n].buffer = (uintptr_t)nowhere, expected[n++] = EFAULT;
	t[n] = good, t[n].page = 21, expected[n++] = 0;
	CHECK_EQUAL(n, 14);
	CHECK_EQUAL(paging(pager, UPADEV_PAGE_IN, t, 14, &done), 0);
	CHECK_EQUAL(done, 2);
	for (int i = 0; i < n; i++)
		if (t[i].result != -expected[i])
			FAIL("transfer %d: result=%d, expected %d", i, t[i].result, -expected[i]);
	for (int i = 0; i < FRAMES; i++)
		CHECK_EQUAL(r.shadow[i], i == 20 || i == 21 ? 8 :
					 i == 30            ? 8 :
					 i == 31            ? 0 :
							      AWAY(5));
	CHECK_EQUAL(stats(&r).paged_in, 2);
}

/* A frame of which the transfer is refused keeps what it holds. */
static void stale_transfers_write_nothing(void)
{
	int pager;
	struct region r = with_pager(0, &pager);

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
	struct region r = with_pager(0, &pager);
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
	struct region r = with_pager(UPADEV_CREATE_BLOCKS, &pager);

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
	struct region r = with_pager(0, &pager);

	r.shadow[0] = AWAY(1);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 512 }), 0);
	CHECK_EQUAL(page_in(pager, 0, AWAY(1), 512, contents), EINVAL);
	CHECK_EQUAL(page_in(pager, 0, AWAY(1), 511, contents), 0);
}

TESTS(CASE(refuses_wrong_calls), CASE(refuses_wrong_transfers), CASE(stale_transfers_write_nothing),
      CASE(many_at_once), CASE(blocks_are_whole), CASE(frames_that_left))
