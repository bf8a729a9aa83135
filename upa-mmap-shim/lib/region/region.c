/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The region on a stock kernel: reserves the range, keeps the allocation state beside it, clears what
 * must be clear, moves blocks and gives memory back. Which page goes to whom is decided in llfree.c. Where a region on /dev/upa
 * differs, region_pte.c is called.
 *
 * Metadata of a private region is anonymous memory; a shared region is one file:
 *
 *   0              struct region_header, 4096 bytes
 *   4096           slots x 64 bytes, struct region_counters
 *   state_offset   the allocation state, see upa/llfree.h
 *   data_offset    the pages, 2 MiB-aligned (shared regions only)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <upa/llfree.h>
#include <upa/region.h>

#include "os/clear.h"
#include "os/os.h"
#include "region/region_private.h"
#include "region/device/device.h"

/* Batches in which background work holds free children: long enough to amortise a TLB flush, short enough to hide little. */
#define BATCH_CHILDREN 16u

/* Below so many pages clearing is cheaper than asking the kernel which of them have memory. */
#define ASK_PAGES 32u

/*
 * Each move of page tables may leave one more VMA behind, of which a process has 65 530 by default.
 * After so many, blocks are copied.
 */
#define MAX_TABLE_MOVES 16384u

/* So many places are looked at for a request with an alignment. */
#define ALIGNED_TRIES 4096u

struct region_header {
	uint64_t magic;
	uint32_t abi;
	uint32_t slots;
	uint64_t data_bytes;
	uint64_t state_offset;
	uint64_t state_bytes;
	uint64_t data_offset;
	uint64_t file_bytes;
};

_Static_assert(sizeof(struct region_header) == 56, "layout");
/* ---- slots ---------------------------------------------------------------------------------- */

/*
 * Threads take slots in turn and keep them: a thread then finds the pages again that it has freed,
 * which a slot per processor would lose with every migration.
 */
static _Thread_local uint32_t thread_slot __attribute__((tls_model("initial-exec")));
static _Atomic uint32_t next_thread_slot;

static uint32_t this_slot(void)
{
	if (__builtin_expect(!thread_slot, 0)) {
		uint32_t slot = atomic_fetch_add_explicit(&next_thread_slot, 1, memory_order_relaxed) + 1;

		thread_slot = slot ? slot : 1;
	}
	return thread_slot - 1;
}

/* Twice the processors, so that threads that come and go seldom meet; few enough to leave trees for large runs. */
static uint32_t default_slots(void)
{
	long processors = sysconf(_SC_NPROCESSORS_CONF);
	uint32_t slots = 8;

	while (slots < 2 * processors && slots < 1024)
		slots *= 2;
	return slots;
}

uint32_t upa_region_slot(void)
{
	return this_slot();
}

void upa_region_add(const struct upa_region *r, size_t counter, uint64_t pages)
{
	struct region_counters *c = &r->counters[this_slot() % r->slots];

	atomic_fetch_add_explicit((_Atomic uint64_t *)((char *)c + counter), pages, memory_order_relaxed);
}

/* ---- making and unmaking -------------------------------------------------------------------- */

/* False if the sizes are out of range. */
static bool lay_out(struct region_header *h, uint64_t bytes, uint32_t slots, bool shared)
{
	uint64_t metadata;

	if (!bytes || bytes > UPA_MAX_PAGES * PAGE_BYTES || !slots || slots > UPA_MAX_SLOTS)
		return false;
	*h = (struct region_header){ .magic = UPA_REGION_MAGIC, .abi = UPA_REGION_ABI, .slots = slots };
	h->data_bytes = round_up(bytes, CHILD_BYTES);
	h->state_offset = round_up(PAGE_BYTES + slots * sizeof(struct region_counters), PAGE_BYTES);
	h->state_bytes = upa_llfree_state_size(h->data_bytes / PAGE_BYTES, slots);
	metadata = round_up(h->state_offset + h->state_bytes, PAGE_BYTES);
	h->data_offset = shared ? round_up(metadata, CHILD_BYTES) : 0;
	h->file_bytes = shared ? h->data_offset + h->data_bytes : 0;
	return true;
}

static size_t metadata_bytes(const struct region_header *h)
{
	return round_up(h->state_offset + h->state_bytes, PAGE_BYTES);
}

#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static int map_range(void **out, void *address, size_t bytes, int protection, int flags, int fd, uint64_t offset)
{
	long result = os_mmap(address, bytes, protection, flags, fd, (off_t)offset);

	if (os_failed(result))
		return (int)result;
	*out = (void *)result;
	return 0;
}

static int map_anonymous(void **out, size_t bytes)
{
	return map_range(out, NULL, bytes, PROT_READ | PROT_WRITE, PRIVATE, -1, 0);
}

/* A 2 MiB-aligned range: of fd at offset, or anonymous if fd is -1. */
static int map_data(void **out, uint64_t bytes, int fd, uint64_t offset)
{
	void *wide;
	int error = map_range(&wide, NULL, bytes + CHILD_BYTES, PROT_NONE, PRIVATE, -1, 0);
	char *base;

	if (error)
		return error;
	base = (char *)round_up((uintptr_t)wide, CHILD_BYTES);
	error = map_range(out, base, bytes, PROT_READ | PROT_WRITE, (fd < 0 ? PRIVATE : MAP_SHARED) | MAP_FIXED, fd, offset);
	if (error) {
		os_munmap(wide, bytes + CHILD_BYTES);
		return error;
	}
	if (base > (char *)wide)
		os_munmap(wide, (size_t)(base - (char *)wide));
	os_munmap(base + bytes, (size_t)((char *)wide + CHILD_BYTES - base));
	return 0;
}

/* Maps metadata and data of a region laid out as h says and gives it a handle, in memory of its own: malloc may stand on us. */
static int open_region(struct upa_region **out, const struct region_header *h, int fd)
{
	struct upa_region *r;
	void *metadata = NULL;
	void *handle = NULL;
	void *base = NULL;
	int error = map_anonymous(&handle, PAGE_BYTES);

	if (error)
		return error;
	/* Locked already, by mlockall(MCL_FUTURE): the whole range would be populated at once. */
	if (os_madvise(handle, PAGE_BYTES, MADV_DONTNEED)) {
		error = -ENOMEM;
		goto no_metadata;
	}
	if (fd < 0)
		error = map_anonymous(&metadata, metadata_bytes(h));
	else
		error = map_range(&metadata, NULL, metadata_bytes(h), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (error)
		goto no_metadata;
	error = map_data(&base, h->data_bytes, fd, h->data_offset);
	if (error)
		goto no_data;
	r = handle;
	r->base = base;
	r->bytes = h->data_bytes;
	r->header = metadata;
	r->metadata_bytes = metadata_bytes(h);
	r->counters = (struct region_counters *)((char *)metadata + PAGE_BYTES);
	r->slots = h->slots;
	r->kind = fd >= 0 ? REGION_SHARED : REGION_PRIVATE;
	*out = r;
	return 0;

no_data:
	os_munmap(metadata, metadata_bytes(h));
no_metadata:
	os_munmap(handle, PAGE_BYTES);
	return error;
}

static int advise(const struct upa_region *r, void *address, uint64_t bytes)
{
	if (r->kind == REGION_PRIVATE)
		os_name(address, bytes, "upa region");
	if (r->flags & UPA_REGION_HUGEPAGE)
		return os_madvise(address, bytes, MADV_HUGEPAGE);
	if (r->flags & UPA_REGION_NOHUGEPAGE)
		return os_madvise(address, bytes, MADV_NOHUGEPAGE);
	return 0;
}

/* The same on the device. */
static int open_on_device(struct upa_region **out, const struct region_header *h, const struct upa_region_options *options)
{
	struct upa_region *r;
	void *handle = NULL;
	int error = map_anonymous(&handle, PAGE_BYTES);

	if (error)
		return error;
	r = handle;
	r->bytes = h->data_bytes;
	r->metadata_bytes = metadata_bytes(h);
	r->slots = h->slots;
	error = upa_pte_open(r, options);
	if (error) {
		os_munmap(handle, PAGE_BYTES);
		return error;
	}
	r->counters = (struct region_counters *)((char *)r->header + PAGE_BYTES);
	*out = r;
	return 0;
}

static int create(struct upa_region **out, const struct upa_region_options *options, int fd)
{
	uint32_t flags = options->flags;
	uint32_t known = options->backend == UPA_BACKEND_PTE ? UPA_REGION_RECLAIM :
			 options->backend ? 0 : UPA_REGION_HUGEPAGE | UPA_REGION_NOHUGEPAGE | (fd < 0 ? UPA_REGION_FENCED : 0);
	struct region_header h;
	struct upa_region *r;
	uint64_t magic;
	int error;

	if (flags & ~known || !lay_out(&h, options->bytes, default_slots(), fd >= 0) ||
	    (flags & UPA_REGION_HUGEPAGE && flags & UPA_REGION_NOHUGEPAGE) || options->backend > UPA_BACKEND_PTE_RAW)
		return -EINVAL;
	if (fd >= 0 && ftruncate(fd, (off_t)h.file_bytes))
		return -errno;
	error = options->backend ? open_on_device(&r, &h, options) : open_region(&r, &h, fd);
	if (error)
		return error;
	r->flags = flags;
	r->prepares = options->backend || flags & UPA_REGION_FENCED;
	error = advise(r, r->base, r->bytes);
	if (!error && flags & UPA_REGION_FENCED) {
		/* With a page in it the mapping has its anon_vma, which its parts will share: else the kernel could not merge them again. */
		*r->base = 0;
		error = os_mprotect(r->base, r->bytes, PROT_NONE);
	}
	if (!error)
		error = upa_llfree_init(&r->llfree, (char *)r->header + h.state_offset, h.state_bytes,
					h.data_bytes / PAGE_BYTES, h.slots);
	if (error) {
		upa_region_destroy(r);
		return error;
	}
	/* The magic last: who attaches meanwhile finds no region yet, never half of one. */
	magic = h.magic;
	h.magic = 0;
	*r->header = h;
	__atomic_store(&r->header->magic, &magic, __ATOMIC_RELEASE);
	*out = r;
	return 0;
}

int upa_region_create(struct upa_region **out, uint64_t bytes, uint32_t flags)
{
	return create(out, &(struct upa_region_options){ .bytes = bytes, .flags = flags }, -1);
}

int upa_region_create_with(struct upa_region **out, const struct upa_region_options *options)
{
	return create(out, options, -1);
}

int upa_region_create_shared(struct upa_region **out, const char *path, uint64_t bytes, uint32_t flags)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int error;

	if (fd < 0)
		return -errno;
	error = create(out, &(struct upa_region_options){ .bytes = bytes, .flags = flags }, fd);
	close(fd);
	if (error)
		unlink(path);
	return error;
}

static int check_header(const struct region_header *h, ssize_t read_bytes, const struct stat *st)
{
	struct region_header expected;

	if (read_bytes < (ssize_t)sizeof(h->magic) || h->magic != UPA_REGION_MAGIC)
		return -EBADMSG;
	if (read_bytes < (ssize_t)sizeof(*h))
		return -ERANGE;
	if (h->abi != UPA_REGION_ABI)
		return -EPROTO;
	if (!lay_out(&expected, h->data_bytes, h->slots, true) || memcmp(h, &expected, sizeof(*h)) ||
	    (uint64_t)st->st_size < h->file_bytes)
		return -ERANGE;
	return 0;
}

int upa_region_attach(struct upa_region **out, const char *path)
{
	struct region_header h = { 0 };
	struct upa_region *r;
	struct stat st;
	int error;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	error = os_fstat(fd, &st);
	if (!error)
		error = check_header(&h, pread(fd, &h, sizeof(h), 0), &st);
	if (!error)
		error = open_region(&r, &h, fd);
	close(fd);
	if (error)
		return error;
	error = upa_llfree_attach(&r->llfree, (char *)r->header + h.state_offset, h.state_bytes);
	if (!error && (r->llfree.pages != h.data_bytes / PAGE_BYTES || r->llfree.slots != h.slots))
		error = -ERANGE;
	if (error) {
		upa_region_destroy(r);
		return error;
	}
	*out = r;
	return 0;
}

int upa_region_destroy(struct upa_region *r)
{
	if (!r)
		return -EINVAL;
	if (r->kind == REGION_PTE) {
		upa_pte_close(r);
	} else {
		os_munmap(r->base, r->bytes);
		os_munmap(r->header, r->metadata_bytes);
	}
	os_munmap(r, PAGE_BYTES);
	return 0;
}

/* ---- map and unmap -------------------------------------------------------------------------- */

static uint64_t pages_of(size_t bytes)
{
	return bytes / PAGE_BYTES + (bytes % PAGE_BYTES != 0);
}

/* The pages of a block that lies wholly in the region; false if it does not. */
static bool block(const struct upa_region *r, const void *address, size_t bytes, uint64_t *first, uint64_t *pages)
{
	uint64_t offset = (uint64_t)((uintptr_t)address - (uintptr_t)r->base);

	if (!bytes || offset % PAGE_BYTES || offset >= r->bytes || bytes > r->bytes - offset)
		return false;
	*first = offset / PAGE_BYTES;
	*pages = pages_of(bytes);
	return true;
}

/*
 * Clears at most one child's worth of stale pages without putting memory behind those that have none: a
 * block whose holder touched little of it must not become resident because somebody needs zeros. What the
 * kernel calls not resident may be swapped out, hence MADV_DONTNEED rather than nothing.
 */
static uint64_t clear_resident(struct upa_region *r, uint64_t first, uint64_t pages)
{
	unsigned char resident[UPA_CHILD_PAGES];
	uint64_t cleared = 0;

	if (os_mincore(address_of(r, first), pages * PAGE_BYTES, resident))
		memset(resident, 1, sizeof(resident));
	for (uint64_t i = 0, end; i < pages; i = end) {
		end = i + 1;
		while (end < pages && (resident[end] & 1) == (resident[i] & 1))
			end++;
		if (!(resident[i] & 1) && !os_madvise(address_of(r, first + i), (end - i) * PAGE_BYTES, MADV_DONTNEED))
			continue;
		upa_clear(address_of(r, first + i), (end - i) * PAGE_BYTES);
		cleared += end - i;
	}
	if (cleared == pages)
		upa_llfree_set_resident(&r->llfree, first, pages);
	return cleared;
}

/* How many of these pages, from the first on, are in children known to be resident. */
static uint64_t known_resident(const struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t n = 0;

	while (n < pages && upa_llfree_resident(&r->llfree, first + n))
		n += UPA_CHILD_PAGES - (first + n) % UPA_CHILD_PAGES;
	return n < pages ? n : pages;
}

static void clear(struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;
	uint64_t cleared = 0;
	uint64_t length;
	int64_t page;

	for (; first < end && (page = upa_llfree_next_stale(&r->llfree, first, end - first, &length)) >= 0; first += length) {
		uint64_t known;

		first = (uint64_t)page;
		known = length < ASK_PAGES || r->kind ? length : known_resident(r, first, length);
		if (known) {
			upa_clear(address_of(r, first), known * PAGE_BYTES);
			cleared += known;
			length = known;
		} else {
			if (length > UPA_CHILD_PAGES - first % UPA_CHILD_PAGES)
				length = UPA_CHILD_PAGES - first % UPA_CHILD_PAGES;
			cleared += clear_resident(r, first, length);
		}
	}
	if (cleared)
		ADD(r, cleared_pages, cleared);
}

/* Lets pages that the caller holds be touched, or no longer. 0, -ENOMEM. */
static int open_pages(const struct upa_region *r, uint64_t first, uint64_t pages)
{
	return r->flags & UPA_REGION_FENCED ? os_mprotect(address_of(r, first), pages * PAGE_BYTES, PROT_READ | PROT_WRITE) : 0;
}

static int fence_pages(const struct upa_region *r, uint64_t first, uint64_t pages)
{
	return r->flags & UPA_REGION_FENCED ? os_mprotect(address_of(r, first), pages * PAGE_BYTES, PROT_NONE) : 0;
}

static void scavenge(struct upa_region *r, uint64_t first, uint64_t pages);

static int prepare(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags)
{
	int error;

	if (r->kind == REGION_PTE)
		return upa_pte_supply(r, first, pages, flags);
	error = open_pages(r, first, pages);
	if (!error)
		scavenge(r, first, pages);
	if (!error && flags & UPA_MAP_FAULTED)
		error = os_madvise(address_of(r, first), pages * PAGE_BYTES, MADV_POPULATE_WRITE);
	if (error) {
		fence_pages(r, first, pages);
		upa_llfree_put_run(&r->llfree, this_slot(), first, pages, UPA_PUT_UNTOUCHED);
		return error;
	}
	if (flags & UPA_MAP_FAULTED)
		upa_llfree_set_resident(&r->llfree, first, pages);
	if (flags & UPA_MAP_ZEROS)
		clear(r, first, pages);
	return 0;
}

void *upa_region_map(struct upa_region *r, size_t bytes, uint32_t flags)
{
	int64_t page;
	int error;

	if (!bytes || flags & ~(UPA_MAP_ZEROS | UPA_MAP_FAULTED)) {
		errno = EINVAL;
		return NULL;
	}
	page = upa_llfree_get_run(&r->llfree, this_slot(), pages_of(bytes), flags & UPA_MAP_ZEROS ? UPA_GET_ZEROS : 0);
	error = page < 0 ? (int)page : 0;
	if (!error && (flags | r->prepares || bytes >= CHILD_BYTES))
		error = prepare(r, (uint64_t)page, pages_of(bytes), flags);
	if (error) {
		errno = -error;
		return NULL;
	}
	return address_of(r, (uint64_t)page);
}

void *upa_region_map_aligned(struct upa_region *r, size_t bytes, size_t alignment, uint32_t flags)
{
	uint64_t step = alignment / PAGE_BYTES;
	uint64_t pages = pages_of(bytes);
	uint64_t length;

	for (uint64_t first = (round_up((uintptr_t)r->base, alignment) - (uintptr_t)r->base) / PAGE_BYTES, tries = 0;
	     tries < ALIGNED_TRIES && pages <= r->llfree.pages && first <= r->llfree.pages - pages; first += step, tries++)
		if (upa_llfree_next(&r->llfree, first, pages, false, &length) < 0 &&
		    !upa_region_map_at(r, address_of(r, first), bytes, flags))
			return address_of(r, first);
	return NULL;
}

int upa_region_map_at(struct upa_region *r, void *address, size_t bytes, uint32_t flags)
{
	uint64_t first, pages;
	int error;

	if (!block(r, address, bytes, &first, &pages) || flags & ~(UPA_MAP_ZEROS | UPA_MAP_FAULTED))
		return -EINVAL;
	error = upa_llfree_get_at(&r->llfree, this_slot(), first, pages);
	return error ? error : prepare(r, first, pages, flags);
}

int upa_region_taint(struct upa_region *r, void *address, size_t bytes)
{
	uint64_t first, pages;
	int error;

	if (r->kind == REGION_SHARED || !block(r, address, bytes, &first, &pages))
		return -EINVAL;
	error = upa_region_make_ordinary(r);
	return error ? error : upa_llfree_taint(&r->llfree, first, pages);
}

int upa_region_make_ordinary(struct upa_region *r)
{
	return r->kind == REGION_PTE ? upa_pte_leave(r) : 0;
}

int upa_region_claim(struct upa_region *r, void *address, size_t bytes)
{
	uint64_t first, pages;
	int error;

	if (!block(r, address, bytes, &first, &pages))
		return -EINVAL;
	error = upa_llfree_get_at(&r->llfree, this_slot(), first, pages);
	if (!error && r->kind == REGION_PTE)
		return upa_pte_supply(r, first, pages, 0);
	/* Still fenced, if they are: whoever renews them is to open them. */
	return error || !(r->flags & UPA_REGION_FENCED) ? error : upa_llfree_taint(&r->llfree, first, pages);
}

/* Makes pages whose mapping has been changed absent pages of a private region again, to be held or free. */
static int restore(const struct upa_region *r, uint64_t first, uint64_t pages, bool free)
{
	int protection = free && r->flags & UPA_REGION_FENCED ? PROT_NONE : PROT_READ | PROT_WRITE;
	void *address = address_of(r, first);
	int error = map_range(&address, address, pages * PAGE_BYTES, protection, PRIVATE | MAP_FIXED, -1, 0);

	return error ? error : advise(r, address, pages * PAGE_BYTES);
}

int upa_region_unmap(struct upa_region *r, void *address, size_t bytes)
{
	uint64_t first, pages, length;
	bool tainted;
	int error;

	if (!block(r, address, bytes, &first, &pages))
		return -EINVAL;
	if (r->kind == REGION_PTE)
		return upa_pte_unmap(r, first, pages);
	tainted = r->kind == REGION_PRIVATE && upa_llfree_tainted(&r->llfree, first, pages) > 0;
	if (!tainted && !(r->flags & UPA_REGION_FENCED))
		return upa_llfree_put_run(&r->llfree, this_slot(), first, pages, 0);
	if (upa_llfree_next(&r->llfree, first, pages, true, &length) >= 0)
		return -EINVAL;
	error = tainted ? restore(r, first, pages, true) : fence_pages(r, first, pages);
	/* No more mappings to be had, of which this would need two and munmap() one: the addresses are lost, their memory is not. */
	if (error == -ENOMEM && r->flags & UPA_REGION_FENCED && !os_madvise(address, pages * PAGE_BYTES, MADV_GUARD_INSTALL))
		return upa_llfree_taint(&r->llfree, first, pages);
	return error ? error : upa_llfree_put_run(&r->llfree, this_slot(), first, pages, tainted ? UPA_PUT_ABSENT : 0);
}

/* ---- for mman.c: ranges of which only a part need be allocated ------------------------------- */

bool upa_region_next(const struct upa_region *r, const void *address, size_t bytes, bool free, struct range *out)
{
	uint64_t first, pages, length;
	int64_t page;

	if (!block(r, address, bytes, &first, &pages))
		return false;
	page = upa_llfree_next(&r->llfree, first, pages, free, &length);
	if (page < 0)
		return false;
	*out = (struct range){ address_of(r, (uint64_t)page), length * PAGE_BYTES };
	return true;
}

bool upa_region_tainted(const struct upa_region *r, const void *address, size_t bytes)
{
	uint64_t first, pages;

	return block(r, address, bytes, &first, &pages) && upa_llfree_tainted(&r->llfree, first, pages) > 0;
}

static int unmap_as(struct upa_region *r, const void *address, size_t bytes, uint32_t put_flags)
{
	uint64_t first, pages;

	if (!block(r, address, bytes, &first, &pages))
		return -EINVAL;
	if (r->kind == REGION_PTE)
		return upa_pte_unmap(r, first, pages);
	fence_pages(r, first, pages);
	return upa_llfree_put_run(&r->llfree, this_slot(), first, pages, put_flags);
}

int upa_region_unmap_moved(struct upa_region *r, const void *address, size_t bytes)
{
	return unmap_as(r, address, bytes, UPA_PUT_ABSENT);
}

int upa_region_unmap_untouched(struct upa_region *r, const void *address, size_t bytes)
{
	return unmap_as(r, address, bytes, UPA_PUT_UNTOUCHED);
}

int upa_region_renew(struct upa_region *r, void *address, size_t bytes)
{
	uint64_t first, pages;

	if (!block(r, address, bytes, &first, &pages))
		return -EINVAL;
	if (r->kind == REGION_PTE) {
		memset(address, 0, pages * PAGE_BYTES);
		return 0;
	}
	if (upa_llfree_tainted(&r->llfree, first, pages) <= 0 && !os_madvise(address, bytes, MADV_DONTNEED))
		return 0;
	return restore(r, first, pages, false);
}

/* ---- resize --------------------------------------------------------------------------------- */

/*
 * Is a range of the region one mapping to the kernel? It says so (EFAULT if not) when asked to grow it in place, which
 * it cannot, for the page behind is mapped as well. To be known before MREMAP_FIXED: kernels before 6.17 refuse
 * several mappings only after they have unmapped the target, where another thread's mmap may then land.
 */
static bool one_mapping(const struct upa_region *r, char *address, size_t bytes)
{
	long result;

	if (address + bytes == r->base + r->bytes)
		return bytes == PAGE_BYTES;
	result = os_mremap(address, bytes, bytes + PAGE_BYTES, 0, NULL);
	/* Something has left a hole behind. */
	if (!os_failed(result))
		os_munmap(address + bytes, PAGE_BYTES);
	return result != -EFAULT;
}

size_t upa_region_one_mapping(const struct upa_region *r, char *address, size_t bytes)
{
	while (!one_mapping(r, address, bytes))
		bytes = bytes > CHILD_BYTES ? round_up(bytes / 2, CHILD_BYTES) : round_up(bytes / 2, PAGE_BYTES);
	return bytes;
}

/*
 * Moves memory to a range that has none: the page tables where the kernel can, else the bytes. True if all
 * of it went by page tables, so that no memory stays behind at the source.
 */
static bool move_tables(const struct upa_region *r, uint64_t to, uint64_t from, uint64_t pages)
{
	bool all = true;
	uint64_t n;

	for (; pages; pages -= n, to += n, from += n) {
		long result;

		n = upa_region_one_mapping(r, address_of(r, from), pages * PAGE_BYTES) / PAGE_BYTES;
		result = os_mremap(address_of(r, from), n * PAGE_BYTES, n * PAGE_BYTES,
				   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, address_of(r, to));
		if (!os_failed(result))
			continue;
		/* Short of memory, the kernel may have left the target unmapped. */
		restore(r, to, n, false);
		memcpy(address_of(r, to), address_of(r, from), n * PAGE_BYTES);
		all = false;
	}
	return all;
}

/*
 * Exchanges the page tables of two ranges by way of a third that has no memory: the target's memory goes where the
 * source's was, so nothing is copied, freed or faulted in again. Contents of the target are of no interest.
 */
static bool swap_tables(struct upa_region *r, uint64_t to, uint64_t from, uint64_t pages)
{
	int64_t aside = upa_llfree_get_run(&r->llfree, this_slot(), pages, UPA_GET_ABSENT);
	bool absent;
	uint64_t length;

	if (aside < 0)
		return false;
	ADD(r, internal_gets, 1);
	absent = upa_llfree_next_stale(&r->llfree, (uint64_t)aside, pages, &length) < 0;
	if (absent) {
		bool emptied = move_tables(r, (uint64_t)aside, to, pages);

		move_tables(r, to, from, pages);
		emptied = move_tables(r, from, (uint64_t)aside, pages) && emptied;
		upa_llfree_put_run(&r->llfree, this_slot(), (uint64_t)aside, pages, emptied ? UPA_PUT_ABSENT : 0);
	} else {
		upa_llfree_put_run(&r->llfree, this_slot(), (uint64_t)aside, pages, UPA_PUT_UNTOUCHED);
	}
	return absent;
}

static void *relocate(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages, uint32_t flags)
{
	bool tables = old_pages >= UPA_CHILD_PAGES && !r->kind && upa_llfree_tainted(&r->llfree, first, old_pages) <= 0 &&
		      atomic_load_explicit(&r->table_moves, memory_order_relaxed) < MAX_TABLE_MOVES;
	bool fenced = r->flags & UPA_REGION_FENCED;
	/* Page tables do not move between fenced ranges: what is large had better leave the region. */
	int64_t page = fenced && tables ? -ENOMEM : upa_llfree_get_run(&r->llfree, this_slot(), new_pages, 0);
	uint64_t length;
	bool emptied = false;
	int error = page < 0 ? (int)page : fenced ? prepare(r, (uint64_t)page, new_pages, 0) : 0;

	if (error) {
		errno = -error;
		return NULL;
	}
	if (tables)
		atomic_fetch_add_explicit(&r->table_moves, 1, memory_order_relaxed);
	if (tables && upa_llfree_next_stale(&r->llfree, (uint64_t)page, old_pages, &length) < 0)
		emptied = move_tables(r, (uint64_t)page, first, old_pages);
	else if (!tables || !swap_tables(r, (uint64_t)page, first, old_pages))
		memcpy(address_of(r, (uint64_t)page), address_of(r, first), old_pages * PAGE_BYTES);
	scavenge(r, (uint64_t)page + old_pages, new_pages - old_pages);
	if (flags & UPA_MAP_ZEROS)
		clear(r, (uint64_t)page + old_pages, new_pages - old_pages);
	if (emptied)
		upa_llfree_put_run(&r->llfree, this_slot(), first, old_pages, UPA_PUT_ABSENT);
	else
		upa_region_unmap(r, address_of(r, first), old_pages * PAGE_BYTES);
	ADD(r, moved_pages, old_pages);
	return address_of(r, (uint64_t)page);
}

void *upa_region_resize(struct upa_region *r, void *address, size_t old_bytes, size_t new_bytes, uint32_t flags)
{
	uint64_t first, old_pages, length;
	uint64_t new_pages = pages_of(new_bytes);
	int error = 0;

	if (!block(r, address, old_bytes, &first, &old_pages) || !new_bytes || flags & ~(UPA_MAP_ZEROS | UPA_MAP_INPLACE) ||
	    upa_llfree_next(&r->llfree, first, old_pages, true, &length) >= 0) {
		errno = EINVAL;
		return NULL;
	}
	if (new_pages > r->llfree.pages) {
		errno = ENOMEM;
		return NULL;
	}
	if (new_pages < old_pages)
		error = upa_region_unmap(r, address_of(r, first + new_pages), (old_pages - new_pages) * PAGE_BYTES);
	if (new_pages > old_pages) {
		error = upa_llfree_get_at(&r->llfree, this_slot(), first + old_pages, new_pages - old_pages);
		if (error && !(flags & UPA_MAP_INPLACE))
			return r->kind == REGION_PTE ? upa_pte_relocate(r, first, old_pages, new_pages, flags) :
						       relocate(r, first, old_pages, new_pages, flags);
		if (!error)
			error = prepare(r, first + old_pages, new_pages - old_pages, flags & UPA_MAP_ZEROS);
	}
	if (error) {
		errno = new_pages < old_pages ? -error : ENOMEM;
		return NULL;
	}
	return address;
}

/* ---- scavenge: memory of free children for a run that has none ---------------------------------- */

/* Moves leave VMAs that begin and end at children; in a region with so many of these they would become too many. */
#define SCAVENGE_CHILDREN 16384u

/* Children looked at for each one wanted, so that a search in vain costs little beside the page faults it was to save. */
#define SCAVENGE_LOOKS 64u

/* Is child c wholly free, in a state of the set? */
static bool whole(const struct upa_region *r, uint64_t c, uint32_t states)
{
	uint64_t length;
	uint64_t first = c * UPA_CHILD_PAGES;

	return states >> upa_llfree_child_state(&r->llfree, first) & 1 &&
	       upa_llfree_next(&r->llfree, first, UPA_CHILD_PAGES, false, &length) < 0;
}

/* Takes up to `wanted` neighbouring free children below *from that have memory; *from is then where to look on. 0 if none is left. */
static uint64_t take_populated(struct upa_region *r, uint64_t *from, uint64_t wanted, uint64_t *looks)
{
	const uint32_t populated = 1u << UPA_ZEROED | 1u << UPA_STALE;

	while (*from && *looks) {
		uint64_t n = 0;

		while (n < *from && n < wanted && n < BATCH_CHILDREN && whole(r, *from - n - 1, populated))
			n++;
		*looks -= *looks < n + 1 ? *looks : n + 1;
		*from -= n ? n : 1;
		if (n && !upa_llfree_get_at(&r->llfree, this_slot(), *from * UPA_CHILD_PAGES, n * UPA_CHILD_PAGES)) {
			ADD(r, internal_gets, 1);
			return n;
		}
	}
	return 0;
}

/* Moves memory of children to children that have none. How many, from the first on, have been moved. */
static uint64_t move_children(struct upa_region *r, uint64_t to, uint64_t from, uint64_t children)
{
	for (uint64_t moved = 0, n; moved < children; moved += n) {
		char *source = address_of(r, (from + moved) * UPA_CHILD_PAGES);
		char *target = address_of(r, (to + moved) * UPA_CHILD_PAGES);

		n = upa_region_one_mapping(r, source, (children - moved) * CHILD_BYTES) / CHILD_BYTES;
		if (!n)
			return moved;
		if (os_failed(os_mremap(source, n * CHILD_BYTES, n * CHILD_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, target))) {
			/* Short of memory, the kernel may have left the target unmapped. */
			restore(r, (to + moved) * UPA_CHILD_PAGES, n * UPA_CHILD_PAGES, false);
			return moved;
		}
	}
	return children;
}

/*
 * Douglas's second preference: memory of free children goes to those children of a held run that have none, by page tables, which
 * costs a hundredth of the page faults it saves. From the far end, as giving back does.
 */
static void scavenge(struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t child = (first + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES;
	uint64_t end = (first + pages) / UPA_CHILD_PAGES;
	uint64_t from = upa_llfree_touched_children(&r->llfree);
	uint64_t looks = child < end ? SCAVENGE_LOOKS * (end - child) : 0;

	if (r->kind || r->flags & UPA_REGION_FENCED || from > SCAVENGE_CHILDREN)
		return;
	while (child < end) {
		uint64_t n = 0, taken, moved;

		while (child + n < end && upa_llfree_child_state(&r->llfree, (child + n) * UPA_CHILD_PAGES) == UPA_ABSENT)
			n++;
		if (!n) {
			child++;
			continue;
		}
		taken = take_populated(r, &from, n, &looks);
		if (!taken)
			return;
		moved = move_children(r, child, from, taken);
		if (moved) {
			upa_llfree_set_stale(&r->llfree, child * UPA_CHILD_PAGES, moved * UPA_CHILD_PAGES);
			upa_llfree_put_run(&r->llfree, this_slot(), from * UPA_CHILD_PAGES, moved * UPA_CHILD_PAGES, UPA_PUT_ABSENT);
			ADD(r, moved_pages, moved * UPA_CHILD_PAGES);
		}
		if (moved < taken)
			upa_llfree_put_run(&r->llfree, this_slot(), (from + moved) * UPA_CHILD_PAGES, (taken - moved) * UPA_CHILD_PAGES,
					   UPA_PUT_UNTOUCHED);
		child += moved;
	}
}

/* ---- giving back, populating and clearing ahead --------------------------------------------- */

static int drop(const struct upa_region *r, uint64_t first, uint64_t pages)
{
	return os_madvise(address_of(r, first), pages * PAGE_BYTES, r->kind ? MADV_REMOVE : MADV_DONTNEED);
}

/* Pages the caller holds that counted as retained. */
static uint64_t populated_pages(const struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;
	uint64_t total = 0;
	uint64_t length;
	int64_t page;

	for (uint64_t at = first; at < end; at = (at / UPA_CHILD_PAGES + 1) * UPA_CHILD_PAGES)
		if (upa_llfree_child_state(&r->llfree, at) == UPA_ZEROED)
			total += end - at < UPA_CHILD_PAGES ? end - at : UPA_CHILD_PAGES - at % UPA_CHILD_PAGES;
	while (first < end && (page = upa_llfree_next_stale(&r->llfree, first, end - first, &length)) >= 0) {
		total += length;
		first = (uint64_t)page + length;
	}
	return total;
}

/* Takes free pages, drops their memory and frees them again. Returns the pages dropped, 0 if somebody was faster. */
static int64_t give_back_run(struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t populated;
	int error;

	if (upa_llfree_get_at(&r->llfree, this_slot(), first, pages))
		return 0;
	ADD(r, internal_gets, 1);
	populated = populated_pages(r, first, pages);
	error = drop(r, first, pages);
	upa_llfree_put_run(&r->llfree, this_slot(), first, pages, error ? UPA_PUT_UNTOUCHED : UPA_PUT_ABSENT);
	return error ? error : (int64_t)populated;
}

/* Populated free runs of one child. */
static int64_t give_back_parts(struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;
	int64_t total = 0;

	while (first < end) {
		uint64_t free_length, length;
		int64_t page = upa_llfree_next(&r->llfree, first, end - first, true, &free_length);
		int64_t dropped;

		if (page < 0)
			break;
		first = (uint64_t)page + free_length;
		/* All of it if any is stale: a huge page has put memory behind the others as well. */
		if (upa_llfree_child_state(&r->llfree, (uint64_t)page) != UPA_ZEROED &&
		    upa_llfree_next_stale(&r->llfree, (uint64_t)page, free_length, &length) < 0)
			continue;
		dropped = give_back_run(r, (uint64_t)page, free_length);
		if (dropped < 0)
			return total ? total : dropped;
		total += dropped;
	}
	return total;
}

#define POPULATED (1u << UPA_ZEROED | 1u << UPA_STALE | 1u << UPA_MIXED)

int64_t upa_region_give_back(struct upa_region *r, uint64_t retain_bytes)
{
	struct upa_llfree_stats st;
	uint64_t retain = retain_bytes / PAGE_BYTES;
	uint64_t total = 0;

	if (r->kind == REGION_PTE) {
		int64_t frames = upa_pte_give_back(r, retain);

		if (frames > 0)
			ADD(r, given_back_pages, (uint64_t)frames);
		return frames > 0 ? frames * (int64_t)PAGE_BYTES : frames;
	}
	upa_llfree_get_stats(&r->llfree, &st);
	/* From the far end: what stays is where the next searches begin. */
	for (uint64_t c = upa_llfree_touched_children(&r->llfree); c && st.retained_pages > retain + total;) {
		uint64_t excess = st.retained_pages - retain - total;
		uint64_t n = 0;
		int64_t dropped;

		while (n < c && n < BATCH_CHILDREN && n * UPA_CHILD_PAGES < excess && whole(r, c - n - 1, POPULATED))
			n++;
		if (n) {
			c -= n;
			dropped = give_back_run(r, c * UPA_CHILD_PAGES, n * UPA_CHILD_PAGES);
		} else {
			c--;
			dropped = give_back_parts(r, c * UPA_CHILD_PAGES, UPA_CHILD_PAGES);
		}
		if (dropped < 0 && !total)
			return dropped;
		total += dropped > 0 ? (uint64_t)dropped : 0;
	}
	ADD(r, given_back_pages, total);
	return (int64_t)(total * PAGE_BYTES);
}

int64_t upa_region_populate(struct upa_region *r, uint64_t bytes)
{
	uint64_t pages = r->flags & UPA_REGION_FENCED ? 0 : bytes / PAGE_BYTES;
	uint64_t total = 0;

	for (uint64_t c = 0; c < r->llfree.children && total + UPA_CHILD_PAGES <= pages; c++) {
		uint64_t first = c * UPA_CHILD_PAGES;
		int error;

		if (!whole(r, c, 1u << UPA_ABSENT) || upa_llfree_get_at(&r->llfree, this_slot(), first, UPA_CHILD_PAGES))
			continue;
		/* Used and freed by somebody between the look and the taking: what it holds now is not zero. */
		if (upa_llfree_child_state(&r->llfree, first) != UPA_ABSENT) {
			upa_llfree_put_run(&r->llfree, this_slot(), first, UPA_CHILD_PAGES, UPA_PUT_UNTOUCHED);
			continue;
		}
		if (r->kind == REGION_PTE) {
			error = upa_pte_populate(r, first);
		} else {
			error = os_madvise(address_of(r, first), CHILD_BYTES, MADV_POPULATE_WRITE);
			upa_llfree_put_run(&r->llfree, this_slot(), first, UPA_CHILD_PAGES, error ? 0 : UPA_PUT_ZEROED);
		}
		if (error)
			return total ? (int64_t)(total * PAGE_BYTES) : error;
		total += UPA_CHILD_PAGES;
	}
	return (int64_t)(total * PAGE_BYTES);
}

int64_t upa_region_clear(struct upa_region *r, uint64_t bytes)
{
	uint64_t pages = r->flags & UPA_REGION_FENCED ? 0 : bytes / PAGE_BYTES;
	uint64_t touched = upa_llfree_touched_children(&r->llfree);
	uint64_t total = 0;

	for (uint64_t c = 0; c < touched && total + UPA_CHILD_PAGES <= pages; c++) {
		uint64_t first = c * UPA_CHILD_PAGES;
		uint64_t length;
		bool populated;

		if (!whole(r, c, 1u << UPA_STALE | 1u << UPA_MIXED) ||
		    upa_llfree_get_at(&r->llfree, this_slot(), first, UPA_CHILD_PAGES))
			continue;
		/* A child with absent pages among them stays as it is: clearing would populate those. */
		populated = upa_llfree_next_stale(&r->llfree, first, UPA_CHILD_PAGES, &length) == (int64_t)first &&
			    length == UPA_CHILD_PAGES;
		if (populated) {
			clear(r, first, UPA_CHILD_PAGES);
			total += UPA_CHILD_PAGES;
		}
		upa_llfree_put_run(&r->llfree, this_slot(), first, UPA_CHILD_PAGES, populated ? UPA_PUT_ZEROED : UPA_PUT_UNTOUCHED);
	}
	return (int64_t)(total * PAGE_BYTES);
}

/* ---- questions ------------------------------------------------------------------------------ */

int64_t upa_region_recover(struct upa_region *r)
{
	return r->kind == REGION_PTE ? upa_pte_recover(r) : upa_llfree_recover(&r->llfree);
}

int upa_region_validate(const struct upa_region *r, char *message, size_t message_bytes)
{
	return r->kind == REGION_PTE ? upa_pte_validate(r, message, message_bytes) :
				       upa_llfree_validate(&r->llfree, message, message_bytes);
}

int upa_region_get_stats(const struct upa_region *r, struct upa_region_stats *out)
{
	struct upa_llfree_stats st;
	int error = upa_llfree_get_stats(&r->llfree, &st);

	*out = (struct upa_region_stats){
		.capacity_bytes = r->bytes,
		.allocated_bytes = (st.pages - st.free_pages) * PAGE_BYTES,
		.retained_bytes = st.retained_pages * PAGE_BYTES,
		.metadata_bytes = r->metadata_bytes,
		.maps = st.gets,
		.unmaps = st.puts,
		.failures = st.failures,
	};
	if (r->kind == REGION_PTE)
		out->retained_bytes += upa_pte_free_frames(r) * PAGE_BYTES;
	for (uint32_t i = 0; i < r->slots; i++) {
		struct region_counters *c = &r->counters[i];

		out->cleared_bytes += atomic_load_explicit(&c->cleared_pages, memory_order_relaxed) * PAGE_BYTES;
		out->moved_bytes += atomic_load_explicit(&c->moved_pages, memory_order_relaxed) * PAGE_BYTES;
		out->given_back_bytes += atomic_load_explicit(&c->given_back_pages, memory_order_relaxed) * PAGE_BYTES;
	}
	return error;
}

void *upa_region_base(const struct upa_region *r)
{
	return r->base;
}

const void *upa_region_metadata(const struct upa_region *r)
{
	return r->header;
}

uint64_t upa_region_bytes(const struct upa_region *r)
{
	return r->bytes;
}

void *upa_region_state(const struct upa_region *r)
{
	return r->llfree.state;
}

size_t upa_region_state_bytes(const struct upa_region *r)
{
	return upa_llfree_state_size(r->llfree.pages, r->slots);
}

uint64_t upa_region_uncounted_bytes(const struct upa_region *r)
{
	return r->kind == REGION_PTE ? upa_pte_pool(r) * PAGE_BYTES : 0;
}
