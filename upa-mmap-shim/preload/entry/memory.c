/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and the memory behind them: mmap(), munmap(), mremap(). The work is done in lib/mman; here it is decided
 * when.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/mman.h>

#include <upa/mman.h>

#include "entry/entry.h"
#include "entry/heap.h"
#include "entry/uncleared.h"
#include "gate.h"
#include "mman/mman_private.h"
#include "observe/observe.h"
#include "observe/view.h"
#include "policy/purge.h"
#include "policy/retain.h"

/*
 * Hints are the kernel's to follow, but for those by which mimalloc spreads its memory over addresses of no further
 * meaning. Their alignment, up to that of its segments, matters to it: where it does not get it, it asks for more and
 * unmaps the rest.
 */
#define LEAST_ALIGNMENT (4ul << 20)
#define MOST_ALIGNMENT (32ul << 20)

static bool free_hint(const void *address)
{
	return (uintptr_t)address >= 2ul << 40 && (uintptr_t)address < 32ul << 40;
}

static void *map_at(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	void *result;

	if (flags & MAP_FIXED)
		heap_disturb(address, length, false);
	if (!gate_region())
		return (void *)entry_result(os_mmap(address, length, protection, flags, fd, offset));
	result = upa_mmap(address, length, protection, flags, fd, offset);
	if (gate_owns(result) && !(flags & MAP_FIXED))
		retain_account(gate_region(), (int64_t)length);
	return result;
}

static void *map(void *address, size_t length, int protection, int flags, int fd, off_t offset, const void *caller)
{
	struct upa_region *region;
	size_t alignment = 0;
	void *result;

	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		return map_at(address, length, protection, flags, fd, offset);
	if (free_hint(address)) {
		alignment = (uintptr_t)address & -(uintptr_t)address;
		alignment = alignment < MOST_ALIGNMENT ? alignment : MOST_ALIGNMENT;
		address = NULL;
	}
	region = gate_serves(length, protection, flags, caller);
	if (!region)
		return (void *)entry_result(os_mmap(address, length, protection, flags, fd, offset));
	result = alignment >= LEAST_ALIGNMENT ? upa_mman_map(length, alignment, protection, flags, offset) : NULL;
	if (!result)
		result = upa_mmap(address, length, protection, flags, fd, offset);
	if (gate_owns(result))
		retain_account(region, (int64_t)length);
	return result;
}

static void map_observed(struct observation o, const void *hint, size_t length, int protection, int flags,
			 const void *result)
{
	unsigned said = (flags & MAP_ANONYMOUS ? UPA_TRACE_ANONYMOUS : 0) |
			(flags & MAP_SHARED ? UPA_TRACE_SHARED : 0) |
			(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) ? UPA_TRACE_FIXED : 0) |
			(flags & MAP_NORESERVE ? UPA_TRACE_NORESERVE : 0) | (flags & MAP_STACK ? UPA_TRACE_STACK : 0);

	if (result == MAP_FAILED)
		said |= UPA_TRACE_FAILED;
	else if (gate_owns(result) && !(flags & MAP_FIXED))
		said |= UPA_TRACE_SERVED;
	observed(o, false, UPA_TRACE_MAP, said, (unsigned)protection, (uintptr_t)(result == MAP_FAILED ? hint : result),
		 length);
}

static void *map_counted(void *address, size_t length, int protection, int flags, int fd, off_t offset,
			 const void *caller)
{
	struct observation o = observe(false);
	void *result = map(address, length, protection, flags, fd, offset, caller);

	if (!gate_owns(result) || flags & MAP_FIXED)
		view_add(&view.passed, 1);
	if (__builtin_expect(observing, 0))
		map_observed(o, address, length, protection, flags, result);
	return result;
}

EXPORT void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	return map_counted(address, length, protection, flags, fd, offset, __builtin_return_address(0));
}

EXPORT void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset)
	__attribute__((alias("mmap")));

void *libc_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	int said = flags == (MAP_PRIVATE | MAP_ANONYMOUS) && uncleared(length) ? UPA_MAP_UNCLEARED : 0;

	return map_counted(address, length, protection, flags | said, fd, offset, __builtin_return_address(0));
}

static int unmap(void *address, size_t length)
{
	int result;

	purge_forget(address, length);
	if (!gate_owns(address)) {
		heap_disturb(address, length, false);
		if (!gate_region())
			return (int)entry_result(os_munmap(address, length));
		return upa_munmap(address, length);
	}
	result = upa_munmap(address, length);
	if (!result)
		retain_account(gate_region(), -(int64_t)length);
	return result;
}

EXPORT int munmap(void *address, size_t length)
{
	struct observation o = observe(true);
	int result = unmap(address, length);

	observed(o, true, UPA_TRACE_UNMAP, observed_outcome(address, result), 0, (uintptr_t)address, length);
	return result;
}

static void *resize(void *old_address, size_t old_size, size_t new_size, int flags, void *to, int uncleared_flag)
{
	struct observation o = observe(true);
	void *result;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		heap_disturb(to, new_size, false);
	heap_disturb(old_address, old_size, false);
	result = gate_region() ? upa_mremap(old_address, old_size, new_size, flags | uncleared_flag, to) :
				 (void *)entry_result(os_mremap(old_address, old_size, new_size, flags, to));
	if (gate_owns(old_address) && result != MAP_FAILED)
		retain_account(gate_region(), (gate_owns(result) ? (int64_t)new_size : 0) - (int64_t)old_size);
	observed(o, true, UPA_TRACE_RESIZE, observed_outcome(old_address, (long)result), (unsigned)flags,
		 (uintptr_t)old_address, old_size);
	if (o.record && result != MAP_FAILED)
		trace_fill(trace_claim(), UPA_TRACE_RESIZED, observed_outcome(result, 0), (unsigned)flags,
			   (uintptr_t)result, new_size);
	return result;
}

EXPORT void *mremap(void *old_address, size_t old_size, size_t new_size, int flags, ...)
{
	void *to = NULL;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		va_list arguments;

		va_start(arguments, flags);
		to = va_arg(arguments, void *);
		va_end(arguments);
	}
	return resize(old_address, old_size, new_size, flags, to, 0);
}

/* Its register of the fifth argument holds anything without MREMAP_FIXED. */
void *libc_mremap(void *old_address, size_t old_size, size_t new_size, int flags, void *to)
{
	return resize(old_address, old_size, new_size, flags, to, uncleared(new_size) ? UPA_MAP_UNCLEARED : 0);
}
