/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The region: its lifetime, the arguments of its calls, its statistics. Which page goes to whom is decided by llfree,
 * where memory for it comes from by the back end (backend.h).
 */
#define _GNU_SOURCE
#include <upa/region.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "region/backend.h"
#include "region/mapping.h"
#include "region/slots.h"

/* ---- making and unmaking -------------------------------------------------------------------- */

/* A handle with the mappings of a region laid out as h says. */
static int open_region(struct upa_region **out, const struct region_backend *backend, const struct region_header *h,
		       const struct upa_region_options *options, int fd)
{
	void *handle;
	int error = os_pages_fit() ? upa_map_sparse(&handle, PAGE_BYTES) : -ENOTSUP;

	if (error)
		return error;
	error = backend->open(handle, h, options, fd);
	if (error) {
		os_munmap(handle, PAGE_BYTES);
		return error;
	}
	*out = handle;
	(*out)->backend = backend;
	return 0;
}

static void *state_in(const struct upa_region *r, const struct region_header *h)
{
	return (char *)r->header + h->state_offset;
}

static int create(struct upa_region **out, const struct upa_region_options *options, int fd)
{
	const struct region_backend *backend = upa_choose_backend(options, fd >= 0);
	const uint32_t contradictory = UPA_REGION_HUGEPAGE | UPA_REGION_NOHUGEPAGE;
	struct region_header h;
	struct upa_region *r;
	uint64_t magic;
	int error;

	if (!backend || (options->flags & contradictory) == contradictory ||
	    !upa_region_lay_out(&h, options->bytes, upa_default_slots(), fd >= 0))
		return -EINVAL;
	if (fd >= 0 && ftruncate(fd, (off_t)h.file_bytes))
		return -errno;
	error = open_region(&r, backend, &h, options, fd);
	if (error)
		return error;
	error = upa_llfree_init(&r->llfree, state_in(r, &h), h.state_bytes, h.data_bytes / PAGE_BYTES, h.slots);
	if (!error && backend->start)
		error = backend->start(r);
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

/* Opens and checks a shared region: its header, and a descriptor that is to be closed. 0 or -errno. */
static int open_file(const char *path, struct region_header *h, int *fd)
{
	struct stat st;
	ssize_t got;
	int error;

	*h = (struct region_header){ 0 };
	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return -errno;
	got = pread(*fd, h, sizeof(*h), 0);
	error = os_fstat(*fd, &st);
	if (!error)
		error = upa_region_check_header(h, got < 0 ? 0 : (size_t)got, (uint64_t)st.st_size);
	if (error)
		close(*fd);
	return error;
}

int upa_region_attach(struct upa_region **out, const char *path)
{
	const struct upa_region_options options = { 0 };
	struct region_header h;
	struct upa_region *r;
	int fd;
	int error = open_file(path, &h, &fd);

	if (error)
		return error;
	error = open_region(&r, &upa_shared, &h, &options, fd);
	close(fd);
	if (error)
		return error;
	error = upa_llfree_attach(&r->llfree, state_in(r, &h), h.state_bytes);
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
	r->backend->close(r);
	os_munmap(r, PAGE_BYTES);
	return 0;
}

/* ---- map, unmap, resize --------------------------------------------------------------------- */

/* Makes pages just taken what the flags say; on failure they are free again, and nothing was asked for. */
static int prepare(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags, uint32_t holds)
{
	int error;

	UPA_ASSERT(held(r, first, pages));
	error = upa_region_reach(r, first, pages);
	if (!error)
		error = r->backend->prepare(r, first, pages, flags, holds);
	UPA_ASSERT(error || held(r, first, pages));
	if (error)
		count_shortage(r);
	return error;
}

void *upa_region_map(struct upa_region *r, size_t bytes, uint32_t flags)
{
	uint64_t pages = pages_of(bytes);
	uint64_t first;
	uint32_t holds;
	int64_t got;
	int error;

	if (!bytes || flags & ~(UPA_MAP_ZEROS | UPA_MAP_FAULTED)) {
		errno = EINVAL;
		return NULL;
	}
	got = upa_llfree_get_run(&r->llfree, this_slot(), pages,
				 UPA_GET_CONTENTS | r->preference | (flags & UPA_MAP_ZEROS ? UPA_GET_ZEROS : 0));
	first = (uint64_t)upa_llfree_page(got);
	holds = upa_llfree_holds(got);
	error = got < 0 ? (int)got : 0;
	if (!error && (flags | r->backend->prepares | (holds & UPA_HOLDS_LAZY) || bytes >= CHILD_BYTES ||
		       !reached(r, first, pages)))
		error = prepare(r, first, pages, flags, holds);
	if (error) {
		errno = -error;
		return NULL;
	}
	UPA_ASSERT(held(r, first, pages) && reached(r, first, pages));
	return address_of(r, first);
}

int upa_region_map_at(struct upa_region *r, void *address, size_t bytes, uint32_t flags)
{
	uint64_t first, pages;
	int holds;

	if (!region_block(r, address, bytes, &first, &pages) || flags & ~(UPA_MAP_ZEROS | UPA_MAP_FAULTED))
		return -EINVAL;
	holds = upa_llfree_get_at(&r->llfree, this_slot(), first, pages);
	return holds < 0 ? holds : prepare(r, first, pages, flags, (uint32_t)holds);
}

int upa_region_unmap(struct upa_region *r, void *address, size_t bytes)
{
	uint64_t first, pages;

	return region_block(r, address, bytes, &first, &pages) ? r->backend->unmap(r, first, pages) : -EINVAL;
}

/* Makes a block larger. Its first page, or -errno. */
static int64_t grow(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages, uint32_t flags)
{
	uint64_t more = new_pages - old_pages;
	uint64_t behind = first + old_pages;
	int holds = upa_llfree_get_at(&r->llfree, this_slot(), behind, more);

	if (holds < 0)
		return flags & UPA_MAP_INPLACE ? -ENOMEM : r->backend->relocate(r, first, old_pages, new_pages, flags);
	if (prepare(r, behind, more, flags & UPA_MAP_ZEROS, (uint32_t)holds))
		return -ENOMEM;
	return (int64_t)first;
}

void *upa_region_resize(struct upa_region *r, void *address, size_t old_bytes, size_t new_bytes, uint32_t flags)
{
	uint64_t first, old_pages, length;
	uint64_t new_pages = pages_of(new_bytes);
	int64_t page;

	if (!region_block(r, address, old_bytes, &first, &old_pages) || !new_bytes ||
	    flags & ~(UPA_MAP_ZEROS | UPA_MAP_INPLACE) ||
	    upa_llfree_next(&r->llfree, first, old_pages, true, &length) >= 0) {
		errno = EINVAL;
		return NULL;
	}
	page = (int64_t)first;
	if (new_pages > old_pages) {
		page = grow(r, first, old_pages, new_pages, flags);
	} else if (new_pages < old_pages) {
		int error = r->backend->unmap(r, first + new_pages, old_pages - new_pages);

		page = error ? error : page;
	}
	if (page < 0) {
		errno = (int)-page;
		return NULL;
	}
	UPA_ASSERT(held(r, (uint64_t)page, new_pages) && reached(r, (uint64_t)page, new_pages));
	return address_of(r, (uint64_t)page);
}

/* ---- giving back and questions -------------------------------------------------------------- */

int64_t upa_region_give_back(struct upa_region *r, uint64_t retain_bytes)
{
	int64_t pages = r->backend->give_back(r, retain_bytes / PAGE_BYTES);

	if (pages > 0)
		ADD(r, given_back_pages, (uint64_t)pages);
	return pages > 0 ? pages * (int64_t)PAGE_BYTES : pages;
}

int64_t upa_region_make_lazy(struct upa_region *r, uint64_t unmarked_bytes, bool strictly)
{
	int64_t pages;

	if (!r->backend->make_lazy)
		return strictly ? upa_region_give_back(r, unmarked_bytes) : 0;
	pages = r->backend->make_lazy(r, unmarked_bytes / PAGE_BYTES, strictly);
	return pages > 0 ? pages * (int64_t)PAGE_BYTES : pages;
}

int64_t upa_region_find_taken(struct upa_region *r)
{
	return r->backend->find_taken ? r->backend->find_taken(r) * (int64_t)PAGE_BYTES : 0;
}

int upa_region_get_kept(const struct upa_region *r, struct upa_region_kept *out)
{
	struct upa_llfree_stats st;
	int error = upa_llfree_get_stats(&r->llfree, &st);

	*out = (struct upa_region_kept){
		.allocated_bytes = (st.pages - st.free_pages) * PAGE_BYTES,
		.retained_bytes = r->backend->retained(r, st.retained_pages) * PAGE_BYTES,
		.lazy_bytes = st.lazy_pages * PAGE_BYTES,
	};
	return error;
}

int64_t upa_region_recover(struct upa_region *r)
{
	return r->backend->recover(r);
}

int upa_region_validate(const struct upa_region *r, char *message, size_t message_bytes)
{
	return r->backend->validate(r, message, message_bytes);
}

static uint64_t relaxed(const _Atomic uint64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

uint64_t upa_region_taken_bytes(const struct upa_region *r)
{
	uint64_t pages = 0;

	for (uint32_t i = 0; i < r->slots; i++)
		pages += relaxed(&r->counters[i].taken_pages);
	return pages * PAGE_BYTES;
}

/* The allocator's counts are lower bounds where threads share a slot, ours are exact. */
static uint64_t less(uint64_t all, uint64_t internal)
{
	return all > internal ? all - internal : 0;
}

int upa_region_get_stats(const struct upa_region *r, struct upa_region_stats *out)
{
	uint64_t gets = 0, puts = 0, failures = 0, shortages = 0, cleared = 0, moved = 0, given_back = 0;
	struct upa_llfree_stats st;
	int error;

	/* Ours first: what is internal must not be more than what the allocator is asked for next. */
	for (uint32_t i = 0; i < r->slots; i++) {
		const struct region_counters *c = &r->counters[i];

		cleared += relaxed(&c->cleared_pages);
		moved += relaxed(&c->moved_pages);
		given_back += relaxed(&c->given_back_pages);
		gets += relaxed(&c->internal_gets);
		puts += relaxed(&c->internal_puts);
		failures += relaxed(&c->internal_failures);
		shortages += relaxed(&c->shortages);
	}
	error = upa_llfree_get_stats(&r->llfree, &st);
	*out = (struct upa_region_stats){
		.capacity_bytes = r->bytes,
		.allocated_bytes = (st.pages - st.free_pages) * PAGE_BYTES,
		.retained_bytes = r->backend->retained(r, st.retained_pages) * PAGE_BYTES,
		.metadata_bytes = r->metadata_bytes,
		.maps = less(st.gets, gets),
		.unmaps = less(st.puts, puts),
		.failures = less(st.failures, failures) + shortages,
		.cleared_bytes = cleared * PAGE_BYTES,
		.moved_bytes = moved * PAGE_BYTES,
		.given_back_bytes = given_back * PAGE_BYTES,
	};
	return error;
}

void *upa_region_base(const struct upa_region *r)
{
	return r->base;
}

uint64_t upa_region_bytes(const struct upa_region *r)
{
	return r->bytes;
}

const _Atomic uint64_t *upa_region_extent(const struct upa_region *r)
{
	return &r->extent;
}

void *upa_region_state(const struct upa_region *r)
{
	return r->llfree.state;
}

size_t upa_region_state_bytes(const struct upa_region *r)
{
	return upa_llfree_state_size(r->llfree.pages, r->slots);
}

const void *upa_region_metadata(const struct upa_region *r)
{
	return r->header;
}

uint64_t upa_region_uncounted_bytes(const struct upa_region *r)
{
	return r->backend->uncounted(r) * PAGE_BYTES;
}
