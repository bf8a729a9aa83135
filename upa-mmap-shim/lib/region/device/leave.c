/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaving the device, and fork. A forked child has no mapping of the device. So the parent copies the allocator's
 * state, then all pages in use according to that, to anonymous memory, before it forks; the child moves its copy to
 * where the originals were, and has an ordinary private region from then on. Other threads stay at work meanwhile: what
 * they write between the copy and the fork is not in the child, which may not rely on it anyway.
 *
 * In the same way a process with one thread turns its region into anonymous memory when it asks for what the device
 * cannot do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "region/device/device.h"
#include "os/filter.h"
#include "region/mapping.h"

/* Regions whose pages a fork has to copy. */
#define MOST_REGIONS 64

static struct upa_region *_Atomic watched[MOST_REGIONS];

bool upa_device_watch(struct upa_region *r)
{
	for (int i = 0; i < MOST_REGIONS; i++) {
		struct upa_region *none = NULL;

		if (atomic_compare_exchange_strong(&watched[i], &none, r))
			return true;
	}
	return false;
}

void upa_device_unwatch(struct upa_region *r)
{
	for (int i = 0; i < MOST_REGIONS; i++) {
		struct upa_region *it = r;

		atomic_compare_exchange_strong(&watched[i], &it, NULL);
	}
}

/* By way of the kernel, which stops where another thread has just taken the frame away, while we would get a SIGBUS. */
static void copy_carefully(long memory, char *to, const char *from, size_t bytes)
{
	while (bytes) {
		long n = os_call(SYS_pwrite64, memory, (long)from, (long)bytes, (long)to, 0, 0);

		n = n > 0 ? n : (long)PAGE_BYTES;
		n = n < (long)bytes ? n : (long)bytes;
		to += n;
		from += n;
		bytes -= (size_t)n;
	}
}

static struct upa_llfree moved_view(const struct upa_llfree *a, ptrdiff_t by)
{
	struct upa_llfree copy = *a;

	copy.state = (char *)a->state + by;
	copy.slot = (char *)a->slot + by;
	copy.group = (char *)a->group + by;
	copy.tree = (char *)a->tree + by;
	copy.child = (char *)a->child + by;
	copy.bitmap = (char *)a->bitmap + by;
	return copy;
}

static int copy_out(struct upa_region *r, size_t bytes, bool threads)
{
	struct device_region *d = r->device;
	void *data = NULL, *state = NULL;
	struct upa_llfree copy;
	int memory = threads ? file_open("/proc/self/mem", O_RDWR) : -1;
	uint64_t length;
	int64_t page;
	int error = threads && memory < 0 ? memory : upa_map_sparse(&data, bytes);

	if (!error)
		error = upa_map_sparse(&state, d->state_bytes);
	if (error) {
		if (data)
			os_munmap(data, bytes);
		goto out;
	}
	memcpy(state, r->header, r->metadata_bytes);
	copy = moved_view(&r->llfree, (char *)state - (char *)r->header);
	/* Threads may have been in the middle of something, word by word. */
	if (threads)
		upa_llfree_recover(&copy);
	for (uint64_t at = 0;
	     at < copy.pages && (page = upa_llfree_next(&copy, at, copy.pages - at, false, &length)) >= 0;
	     at = (uint64_t)page + length) {
		char *to = (char *)data + (uint64_t)page * PAGE_BYTES;

		if (threads)
			copy_carefully(memory, to, address_of(r, (uint64_t)page), length * PAGE_BYTES);
		else
			memcpy(to, address_of(r, (uint64_t)page), length * PAGE_BYTES);
	}
	d->copy_of_data = data;
	d->copy_of_state = state;
	d->copy_bytes = bytes;
out:
	if (threads && memory >= 0)
		file_close(memory);
	return error;
}

static void drop_copy(struct device_region *d)
{
	if (d->copy_of_data) {
		os_munmap(d->copy_of_data, d->copy_bytes);
		os_munmap(d->copy_of_state, d->state_bytes);
	}
	d->copy_of_data = d->copy_of_state = NULL;
}

/* Moves the copy to where the region is, whose addresses and pointers stay as they are. */
static int move_in(struct upa_region *r)
{
	struct device_region *d = r->device;
	long data = os_mremap(d->copy_of_data, d->copy_bytes, d->copy_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, r->base);
	long state;

	if (os_failed(data))
		return (int)data;
	state = os_mremap(d->copy_of_state, d->state_bytes, d->state_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, r->header);
	if (os_failed(state))
		return (int)state;
	if (d->copy_bytes > r->bytes)
		os_munmap(r->base + r->bytes, d->copy_bytes - r->bytes);
	os_name(r->base, r->bytes, "upa region");
	r->backend = &upa_linear;
	r->preference = 0;
	r->device = NULL;
	return 0;
}

int upa_device_leave(struct upa_region *r)
{
	struct device_region *d = r->device;
	int error;

	/* Others would lose what they write meanwhile. A child of vfork() uses memory that is not its own. */
	if (os_threads() != 1 || getpid() != d->owner)
		return -EOPNOTSUPP;
	error = copy_out(r, d->data_bytes, false);
	if (!error)
		error = move_in(r);
	if (error) {
		drop_copy(d);
		return -EOPNOTSUPP;
	}
	upa_device_unwatch(r);
	upa_device_let_go(d);
	return 0;
}

static void before_fork(void)
{
	for (int i = 0; i < MOST_REGIONS; i++) {
		struct upa_region *r = atomic_load(&watched[i]);

		if (r)
			copy_out(r, r->bytes, os_threads() != 1);
	}
}

static void after_fork(void)
{
	for (int i = 0; i < MOST_REGIONS; i++) {
		struct upa_region *r = atomic_load(&watched[i]);

		if (r)
			drop_copy(r->device);
	}
}

/* Without a copy, for want of memory, a touch of the region is a SIGSEGV. */
static void in_child(void)
{
	for (int i = 0; i < MOST_REGIONS; i++) {
		struct upa_region *r = atomic_exchange(&watched[i], NULL);
		struct device_region *d = r ? r->device : NULL;

		if (!d || !d->copy_of_data || move_in(r))
			continue;
		d->tables = NULL;
		d->entries = NULL;
		d->words = NULL;
		upa_device_let_go(d);
	}
}

int upa_region_watch_forks(void)
{
	static _Atomic bool done;

	return atomic_exchange(&done, true) ? 0 : -pthread_atfork(before_fork, after_fork, in_child);
}
