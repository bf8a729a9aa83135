/* SPDX-License-Identifier: Apache-2.0 */
/* /dev/upa: the module's calls, and the mappings of a region. */
#define _GNU_SOURCE
#include "region/device/device.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "os/file.h"
#include "region/device/frame_words.h"
#include "region/device/paged.h"
#include "region/mapping.h"

#define DEVICE "/dev/upa"

/* ---- what the module does --------------------------------------------------------------------- */

int upa_device_call(const struct device_region *d, unsigned long request, const void *argument)
{
	return (int)os_call(SYS_ioctl, d->fd, (long)request, (long)argument, 0, 0, 0);
}

/* The device answers 1, so that another file that got its number is not taken for it. 0 or -errno. */
static int done(long result)
{
	return result == UPADEV_DONE ? 0 : result < 0 ? (int)result : -ENOTTY;
}

static int advise(const struct device_region *d, struct upadev_range range, int advice)
{
	return done(os_call(SYS_fadvise64, d->fd, (long)(range.page * PAGE_BYTES), (long)(range.count * PAGE_BYTES),
			    advice, 0, 0));
}

/*
 * Raw entries are in place already: from absent to present needs no call, but the stores must be done before the pages
 * are touched, since a page walk does not look into the store buffer.
 */
void upa_device_install(struct device_region *d, struct upa_page_id first, uint64_t pages)
{
	if (d->tables)
		__sync_synchronize(); /* ThreadSanitizer knows no atomic_thread_fence() */
	else
		advise(d, (struct upadev_range){ .page = first.n, .count = pages }, POSIX_FADV_WILLNEED);
}

int upa_device_shoot_down(struct device_region *d, const struct upadev_range *ranges, uint32_t n)
{
	struct upadev_batch batch = { .ranges = (uintptr_t)ranges, .count = n };

	if (d->tables)
		return done(os_call(SYS_fsync, d->fd, 0, 0, 0, 0, 0));
	return n == 1 ? advise(d, ranges[0], POSIX_FADV_DONTNEED) : upa_device_call(d, UPADEV_UNMAP, &batch);
}

/* ---- making and unmaking ---------------------------------------------------------------------- */

/* Maps a part of the device; nothing if it has no bytes. */
static int map_part(const struct device_region *d, void **out, size_t bytes, int protection, uint64_t offset)
{
	return bytes ? upa_map(out, NULL, bytes, protection, MAP_SHARED, d->fd, offset) : 0;
}

static int map_parts(struct upa_region *r, bool raw)
{
	struct device_region *d = r->device;
	void *data = NULL, *state = NULL, *words = NULL, *entries = NULL, *tables = NULL;
	int error = upa_map_aligned(&data, d->data_bytes, MAP_SHARED, d->fd, UPADEV_MAP_DATA);

	r->base = data;
	if (!error)
		error = map_part(d, &state, d->state_bytes, PROT_READ | PROT_WRITE, UPADEV_MAP_STATE);
	r->header = state;
	if (!error)
		error = raw ? upa_map_sparse(&words, d->words_bytes) :
			      map_part(d, &words, d->words_bytes, PROT_READ | PROT_WRITE, UPADEV_MAP_SHADOW);
	d->words = words;
	if (!error && raw)
		error = map_part(d, &entries, d->entries_bytes, PROT_READ, UPADEV_MAP_ENTRIES);
	d->entries = entries;
	if (!error && raw)
		error = map_part(d, &tables, d->tables_bytes, PROT_READ | PROT_WRITE, UPADEV_MAP_TABLES);
	d->tables = tables;
	return error;
}

void upa_device_let_go(struct device_region *d)
{
	if (d->tables)
		os_munmap((void *)(uintptr_t)d->tables, d->tables_bytes);
	if (d->entries)
		os_munmap((void *)(uintptr_t)d->entries, d->entries_bytes);
	if (d->words)
		os_munmap(d->words, d->words_bytes);
	if (d->fd >= 0)
		file_close(d->fd);
	os_munmap(d, PAGE_BYTES);
}

static int open_device(struct device_region *d, const char *path)
{
	struct upadev_info info;
	int error;

	d->fd = file_open(path ? path : DEVICE, O_RDWR);
	if (d->fd < 0)
		return d->fd;
	error = upa_device_call(d, UPADEV_INFO, &info);
	if (error)
		return error == -ENOTTY ? -ENODEV : error;
	return info.version == UPADEV_ABI_VERSION ? 0 : -EPROTO;
}

/* Has the module make the region, and notes what it is like. */
static int create(struct device_region *d, struct upadev_create *made)
{
	int error;

	/* Raw: a signal that comes meanwhile. */
	do
		error = upa_device_call(d, UPADEV_CREATE, made);
	while (error == -EINTR);
	d->data_bytes = made->data_bytes;
	d->words_bytes = made->shadow_bytes;
	if (!d->words_bytes)
		d->words_bytes = round_up(made->pages * sizeof(*d->words), PAGE_BYTES);
	d->entries_bytes = made->entries_bytes;
	d->tables_bytes = made->tables_bytes;
	return error;
}

static int make(struct upa_region *r, const struct region_header *h, const struct upa_region_options *options)
{
	struct device_region *d = r->device;
	uint64_t half = (uint64_t)sysconf(_SC_PHYS_PAGES) / 2;
	uint64_t pool = round_up(options->pool_bytes, CHILD_BYTES) / PAGE_BYTES;
	uint64_t most_bytes = options->max_pool_bytes ? options->max_pool_bytes : half * PAGE_BYTES;
	uint64_t most = round_up(most_bytes, CHILD_BYTES) / PAGE_BYTES;
	size_t pages_bytes = round_up(upa_region_metadata_bytes(h), PAGE_BYTES);
	bool raw = options->backend == UPA_BACKEND_PTE_RAW;
	bool reclaim = options->flags & UPA_REGION_RECLAIM, paged = options->flags & UPA_REGION_PAGED;
	size_t marks_bytes = reclaim || paged ? upa_marks_bytes(h->data_bytes / PAGE_BYTES, most) : 0;
	size_t frames_bytes = round_up(paged ? upa_paged_bytes(h->data_bytes / PAGE_BYTES, most) :
					       upa_llfree_state_size(most, h->slots),
				       PAGE_BYTES);
	struct upadev_create made = {
		.version = UPADEV_ABI_VERSION,
		.mode = raw ? UPADEV_RAW_PTE : UPADEV_GUARDED,
		.flags = (options->flags & UPA_REGION_BLOCKS ? UPADEV_CREATE_BLOCKS : 0) |
			 (paged ? UPADEV_CREATE_TRACK : 0),
		.pages = h->data_bytes / PAGE_BYTES,
		.frames = paged ? most : pool,
		.max_frames = most,
		.state_bytes = pages_bytes + frames_bytes + round_up(marks_bytes, PAGE_BYTES),
	};
	int error = frames_bytes && pool <= most ? open_device(d, options->device) : -EINVAL;

	if (!error)
		error = create(d, &made);
	if (error)
		return error;
	d->state_bytes = made.state_bytes;
	d->max_frames = most;
	d->max_deferred = options->max_deferred_bytes / PAGE_BYTES;
	d->reclaim = reclaim;
	d->blocks = made.flags & UPADEV_CREATE_BLOCKS;
	d->pool = made.frames;
	d->free_frames = (int64_t)made.frames;
	error = map_parts(r, raw);
	if (!error && paged)
		upa_paged_lay_out(r, pages_bytes);
	if (!error && !paged)
		error = upa_llfree_init(&d->frames, (char *)r->header + pages_bytes, frames_bytes, most, h->slots);
	/* Frames that are not in the pool count as taken. */
	if (!error && !paged && pool < most)
		error = upa_llfree_get_at(&d->frames, 0, pool, most - pool);
	return error < 0 ? error : 0;
}

void upa_device_close(struct upa_region *r)
{
	struct device_region *d = r->device;

	upa_device_unwatch(r);
	if (r->base)
		os_munmap(r->base, d->data_bytes);
	if (r->header)
		os_munmap(r->header, d->state_bytes);
	upa_device_let_go(d);
}

int upa_device_open(struct upa_region *r, const struct region_header *h, const struct upa_region_options *options,
		    int fd)
{
	void *handle;
	int error = upa_region_watch_forks();

	(void)fd;
	_Static_assert(sizeof(struct device_region) <= PAGE_BYTES, "one page");
	if (!error)
		error = upa_map_sparse(&handle, PAGE_BYTES);
	if (error)
		return error;
	r->device = handle;
	r->device->fd = -1;
	r->device->owner = getpid();
	error = make(r, h, options);
	r->bytes = h->data_bytes;
	atomic_store(&r->extent, r->bytes);
	r->metadata_bytes = r->device->state_bytes;
	r->slots = h->slots;
	r->flags = options->flags;
	/* Where no free page may keep its frame, none is looked for. */
	r->preference = r->device->max_deferred ? 0 : UPA_GET_ABSENT;
	if (!error && !(options->flags & UPA_REGION_PAGED) && !upa_device_watch(r))
		error = -EMFILE;
	if (error)
		upa_device_close(r);
	else
		r->counters = counters_in(r->header);
	return error;
}

/* ---- the back ends ---------------------------------------------------------------------------- */

static int64_t recover(struct upa_region *r)
{
	int64_t pages = upa_llfree_recover(&r->llfree);
	int64_t frames = upa_llfree_recover(&r->device->frames);

	return pages < 0 ? pages : frames < 0 ? frames : pages + frames;
}

const struct region_backend upa_guarded = {
	.flags = UPA_REGION_RECLAIM | UPA_REGION_BLOCKS,
	.prepares = true,
	.open = upa_device_open,
	.start = upa_device_declare,
	.close = upa_device_close,
	.prepare = upa_device_prepare,
	.unmap = upa_device_unmap,
	.put = upa_device_put,
	.claim = upa_device_claim,
	.renew = upa_device_renew,
	.clear = upa_device_clear,
	.relocate = upa_device_relocate,
	.give_back = upa_device_give_back,
	.populate = upa_device_populate,
	.clear_child = upa_device_clear_child,
	.make_ordinary = upa_device_leave,
	.retained = upa_retained_frames,
	.uncounted = upa_pool_frames,
	.recover = recover,
	.validate = upa_device_validate,
};

const struct region_backend upa_raw = {
	.prepares = true,
	.open = upa_device_open,
	.close = upa_device_close,
	.prepare = upa_device_prepare,
	.unmap = upa_device_unmap,
	.put = upa_device_put,
	.claim = upa_device_claim,
	.renew = upa_device_renew,
	.clear = upa_device_clear,
	.relocate = upa_device_relocate,
	.give_back = upa_raw_give_back,
	.populate = upa_device_populate,
	.clear_child = upa_device_clear_child,
	.make_ordinary = upa_device_leave,
	.retained = upa_retained_frames,
	.uncounted = upa_pool_frames,
	.recover = recover,
	.validate = upa_device_validate,
};
