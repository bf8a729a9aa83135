/*
 * The random calls of fuzz.c, each from a state of random numbers: of the module, and on the
 * mappings of a region that lies where this file says.
 */
#ifndef UPA_TEST_FUZZ_CALLS_H
#define UPA_TEST_FUZZ_CALLS_H

#include <sys/syscall.h>
#include <sys/uio.h>

#include "harness.h"

#define MAX_PAGES 4096ULL
#define NEIGHBOUR (64 * PAGE) /* of ordinary memory, on both sides of the data */

/* Far from where the kernel puts what asks for no address. */
#define ARENA 0x200000000000ULL
#define DATA (ARENA + (1ULL << 30))
#define SHADOW (ARENA + (2ULL << 30))
#define STATE (ARENA + (3ULL << 30))

static struct region r;

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
	return *state;
}

static bool one_in(uint64_t *state, unsigned n)
{
	return next(state) % n == 0;
}

/* Mostly small or near a limit, now and then anything. */
static uint64_t number(uint64_t *state, uint64_t limit)
{
	switch (next(state) % 8) {
	case 0:
		return next(state);
	case 1:
		return limit + next(state) % 3 - 1;
	case 2:
		return 0;
	case 3:
		return 1ULL << next(state) % 64;
	default:
		return next(state) % limit;
	}
}

static uint64_t bits[2][MAX_PAGES / 64];

/* Allocators whose words lie anywhere in the state, one over another. */
static struct upadev_allocators somewhere(uint64_t *state)
{
	struct upadev_allocators a = { .pages.units = 1 + next(state) % r.created.pages,
				       .frames.units = r.created.max_frames };
	__u64 *offsets[] = { &a.pages.group_offset,  &a.pages.tree_offset,    &a.pages.child_offset,
			     &a.pages.bitmap_offset, &a.frames.group_offset,  &a.frames.tree_offset,
			     &a.frames.child_offset, &a.frames.bitmap_offset, &a.marks_offset };

	for (int i = 0; i < 9; i++)
		*offsets[i] = next(state) % (r.created.state_bytes - 1600) / 8 * 8;
	return a;
}

/* One call of the module, on any descriptor of it. */
static long device_call(uint64_t *state, int fd)
{
	static const unsigned long codes[] = { UPADEV_INFO,    UPADEV_CREATE,     UPADEV_MAP,
					       UPADEV_UNMAP,   UPADEV_MAP,        UPADEV_UNMAP,
					       UPADEV_RESIZE,  UPADEV_HARVEST,    UPADEV_STATS,
					       UPADEV_RECLAIM, UPADEV_ALLOCATORS, UPADEV_BOUND,
					       UPADEV_ADMIT,   UPADEV_REVOKE };
	unsigned long code = codes[next(state) % 14];
	struct upadev_range ranges[32];
	union {
		struct upadev_create create;
		struct upadev_batch batch;
		struct upadev_harvest harvest;
		struct upadev_resize resize;
		struct upadev_stats stats;
		struct upadev_reclaim reclaim;
		struct upadev_allocators allocators;
		struct upadev_bound bound;
		struct upadev_pager pager;
		uint64_t words[32];
	} a = { 0 };
	long result;

	for (int i = 0; i < 32; i++)
		ranges[i] = (struct upadev_range){ next(state) % r.created.pages,
						   1 + next(state) % 16 };
	if (one_in(state, 4))
		ranges[next(state) % 32] = (struct upadev_range){ number(state, r.created.pages),
								  number(state, r.created.pages) };
	switch (code) {
	case UPADEV_CREATE:
		a.create = (struct upadev_create){ .version = UPADEV_ABI_VERSION,
						   .pages = number(state, MAX_PAGES),
						   .max_frames = 512 };
		break;
	case UPADEV_MAP:
	case UPADEV_UNMAP:
		a.batch = (struct upadev_batch){ .ranges = (uintptr_t)ranges,
						 .count = 1 + next(state) % 32,
						 .flags = one_in(state, 8) };
		if (one_in(state, 32))
			a.batch.ranges = DATA + next(state) % r.created.data_bytes;
		break;
	case UPADEV_HARVEST:
		a.harvest = (struct upadev_harvest){ .page = number(state, r.created.pages),
						     .count = number(state, r.created.pages),
						     .accessed = (uintptr_t)bits[0],
						     .dirty = (uintptr_t)bits[1],
						     .flags = next(state) % 8 };
		if (a.harvest.count > MAX_PAGES) /* else it would rightly overwrite what follows */
			a.harvest.accessed = a.harvest.dirty = 0;
		break;
	case UPADEV_RESIZE:
		a.resize.frames = one_in(state, 2) ? r.created.max_frames : next(state) % 9 * 512;
		break;
	case UPADEV_ALLOCATORS:
		a.allocators = somewhere(state);
		break;
	case UPADEV_RECLAIM:
		a.reclaim.pages = number(state, r.created.max_frames);
		break;
	case UPADEV_BOUND:
		a.bound.pages =
			one_in(state, 2) ? UPADEV_NO_BOUND : number(state, r.created.max_frames);
		break;
	case UPADEV_ADMIT:
	case UPADEV_REVOKE:
		a.pager.flags = one_in(state, 2);
	}
	if (one_in(state, 16)) {
		int i = (int)(next(state) % 12);

		/* Not the addresses: the kernel would rightly write wherever they point. */
		if (code != UPADEV_HARVEST || (i != 2 && i != 3))
			a.words[i] = number(state, r.created.pages);
	}
	switch (next(state) % 8) {
	case 0:
		return syscall(SYS_fsync, fd);
	case 1:
		return syscall(SYS_fadvise64, fd, number(state, r.created.pages) * PAGE,
			       number(state, 64) * PAGE,
			       one_in(state, 16) ? next(state) % 8 :
			       one_in(state, 2)  ? POSIX_FADV_WILLNEED :
						   POSIX_FADV_DONTNEED);
	case 2:
		if (one_in(state, 16))
			return ioctl(fd, next(state), next(state) | 1ULL << 63);
	}
	result = ioctl(fd, code,
		       one_in(state, 64) ? (void *)(next(state) | 1ULL << 63) : (void *)&a);
	if (code == UPADEV_ADMIT && result >= 0)
		close((int)result); /* a pager that dies at once */
	return result;
}

/* One call of a pager, on pages whose contents are its owner's: each word, or 0. */
static long pager_call(uint64_t *state, int pager, uint64_t (*contents)[512],
		       const struct upadev_fault *fault)
{
	struct upadev_transfer t[16];
	struct upadev_paging p = { .transfers = (uintptr_t)t, .count = 1 + next(state) % 16 };
	bool out = !fault && one_in(state, 2);

	for (uint32_t i = 0; i < 16; i++) {
		t[i] = (struct upadev_transfer){
			.page = fault ? fault->page : next(state) % r.created.pages,
			.buffer = one_in(state, 4) ? 0 : (uintptr_t)contents[i],
			.away = fault ? fault->word :
					UPADEV_SHADOW_AWAY | (uint32_t)next(state) % 4,
			.frame = out && one_in(state, 2) ?
					 UPADEV_ANY_FRAME :
					 (uint32_t)(next(state) % r.created.max_frames),
		};
		if (one_in(state, 64))
			t[i].page = number(state, r.created.pages);
		if (one_in(state, 64))
			t[i].away = (uint32_t)next(state);
		if (one_in(state, 64))
			t[i].buffer = next(state) | 1ULL << 63;
	}
	if (one_in(state, 64))
		p.count = (uint32_t)number(state, 16);
	if (p.count > 16)
		p.transfers = 1ULL << 63;
	if (one_in(state, 64))
		p.flags = (uint32_t)next(state);
	return ioctl(pager, out ? UPADEV_PAGE_OUT : UPADEV_PAGE_IN, &p);
}

/* A span of addresses: a mapping, a part of one, or one that reaches over its border. */
static void choose_span(uint64_t *state, uint64_t *start, uint64_t *bytes)
{
	switch (next(state) % 6) {
	case 0:
		*start = SHADOW, *bytes = r.created.shadow_bytes;
		break;
	case 1:
		*start = STATE, *bytes = r.created.state_bytes;
		break;
	case 2:
		*start = DATA - NEIGHBOUR, *bytes = NEIGHBOUR;
		break;
	case 3:
		*start = DATA + r.created.data_bytes, *bytes = NEIGHBOUR;
		break;
	default:
		*start = DATA, *bytes = r.created.data_bytes;
	}
	if (one_in(state, 2)) {
		uint64_t skip = next(state) % (*bytes / PAGE) * PAGE;

		*start += skip;
		*bytes = one_in(state, 4) ? *bytes : (next(state) % 16 + 1) * PAGE;
	}
}

/* One call on mappings. */
static long mapping_call(uint64_t *state)
{
	uint64_t start, bytes, elsewhere = ARENA + next(state) % 1024 * PAGE;
	struct iovec local = { bits[0], 64 }, remote;
	unsigned char vector[8];

	choose_span(state, &start, &bytes);
	remote = (struct iovec){ (void *)start, 64 };
	switch (next(state) % 16) {
	case 0:
	case 10:
		return munmap((void *)start, bytes);
	case 1:
		return mremap((void *)start, bytes, next(state) % 4 * bytes, MREMAP_MAYMOVE) ==
				       MAP_FAILED ?
			       -1 :
			       0;
	case 2:
		return mremap((void *)start, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
			      (void *)elsewhere) == MAP_FAILED ?
			       -1 :
			       0;
	case 3:
		return mprotect((void *)start, bytes, (int)(next(state) % 8));
	case 4: /* over it; a part of the data must stay */
		return mmap((void *)start, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ?
			       -1 :
			       0;
	case 5:
		return msync((void *)start, bytes, (int)(next(state) % 8));
	case 6:
		return one_in(state, 2) ? mlock((void *)start, bytes) :
					  munlock((void *)start, bytes);
	case 7:
		return mincore((void *)start, sizeof(vector) * PAGE, vector);
	case 8:
		return process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	case 9:
		return munmap((void *)ARENA, 1ULL << 29);
	default: /* all but those that poison memory */
		return madvise((void *)start, bytes, (int)(next(state) % 26));
	}
}

#endif
