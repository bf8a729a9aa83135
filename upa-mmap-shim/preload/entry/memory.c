/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and the memory behind them: mmap(), munmap(), mremap(). The work is done in lib/mman; here it is decided
 * when.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <upa/mman.h>

#include "entry/device_clients.h"
#include "entry/entry.h"
#include "entry/limits.h"
#include "upkeep/heap.h"
#include "entry/uncleared.h"
#include "gate.h"
#include "mman/mman_private.h"
#include "observe/observe.h"
#include "observe/view_writer.h"
#include "os/message.h"
#include "pager/pager.h"
#include "settings.h"
#include "stand_aside.h"
#include "upkeep/ahead.h"
#include "upkeep/purging.h"
#include "upkeep/retention.h"
#include "upkeep/sparse.h"

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

/* A result that the region has served, for MAP_FIXED_NOREPLACE too. */
static void *account(void *result, size_t length)
{
	struct upa_region *region = gate_of(result);

	if (region)
		retention_account((int64_t)length);
	return result;
}

/* Who asks: code of his, and the function that a request which is not ours goes on to; NULL: the kernel. */
struct asker {
	const void *code;
	__typeof__(&mmap) on;
};

#define ASKER(name)                                                                                                    \
	((struct asker){ __builtin_return_address(0),                                                                  \
			 next_foreign.name && !next_returns.name && !entry_by_number ? next.name : NULL })

static void *pass(void *address, size_t length, int protection, int flags, int fd, off_t offset, struct asker asker)
{
	if (__builtin_expect(!!asker.on, 0))
		return asker.on(address, length, protection, flags, fd, offset);
	return (void *)entry_result(os_mmap(address, length, protection, flags, fd, offset));
}

static void *map_at(void *address, size_t length, int protection, int flags, int fd, off_t offset, struct asker asker)
{
	void *result;

	if (flags & MAP_FIXED)
		heap_disturb(address, length, false);
	else
		heap_uncover(address, length);
	if (!gate_touched(address, length))
		return pass(address, length, protection, flags, fd, offset, asker);
	result = upa_mmap(address, length, protection, flags, fd, offset);
	return flags & MAP_FIXED ? result : account(result, length);
}

/* Is memory of this back end for whoever asks? */
static bool is_client(const void *caller)
{
	return __builtin_expect(gate_is_wide(), 1) || !settings.backend || device_serves(caller);
}

/*
 * What is in use of the region has no more bytes than the machine. A program that asks for more does not use all of it,
 * so there is nothing to keep for it; and every search, and every look at what is kept, would go over so many more
 * addresses.
 */
#define LARGE_REQUEST (64ul << 20)

static bool exceeds_memory(size_t length)
{
	return __builtin_expect(length >= LARGE_REQUEST, 0) && (uint64_t)retention_live() + length > gate_most();
}

/* A hint is followed where nothing is mapped, as are free pages of the region to the program. NULL if it is not. */
static void *map_near(void *hint, size_t length, int protection, int flags, int fd, off_t offset, struct asker asker)
{
	int saved = errno;
	void *page = (char *)hint - (uintptr_t)hint % 4096;
	void *result;

	heap_uncover(page, length);
	result = gate_touched(page, length) ?
			 map_at(page, length, protection, flags | MAP_FIXED_NOREPLACE, fd, offset, asker) :
			 MAP_FAILED;
	errno = saved;
	return result == MAP_FAILED ? NULL : result;
}

static void *map(void *hint, size_t length, int protection, int flags, int fd, off_t offset, struct asker asker)
{
	size_t alignment = 0;
	void *result = NULL;

	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		return map_at(hint, length, protection, flags, fd, offset, asker);
	if (free_hint(hint)) {
		alignment = (uintptr_t)hint & -(uintptr_t)hint;
		alignment = alignment < MOST_ALIGNMENT ? alignment : MOST_ALIGNMENT;
		alignment = alignment < LEAST_ALIGNMENT ? 0 : alignment;
	}
	if (hint)
		result = map_near(hint, length, protection, flags, fd, offset, asker);
	if (result)
		return result;
	if ((!hint || free_hint(hint)) && is_client(asker.code) && gate_serves(length, protection, flags) &&
	    !exceeds_memory(length) && (!sparse_expected(length) || sparse_tries())) {
		result = upa_mman_map(length, alignment, protection, flags, offset);
		if (result) {
			if (!(flags & MAP_POPULATE))
				ahead_block(result, length);
			return account(result, length);
		}
		if (upa_mman_serves(protection, flags, offset))
			pager_missed(length);
	}
	return pass(hint, length, protection, flags, fd, offset, asker);
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
	else if (gate_of(result) && !(flags & MAP_FIXED))
		said |= UPA_TRACE_SERVED;
	observed(o, false, UPA_TRACE_MAP, said, (unsigned)protection, (uintptr_t)(result == MAP_FAILED ? hint : result),
		 length);
}

/* The kernel's ring of io_uring, which programs map without a name of libc's for anything they do with it. */
#define RING_OFFSET 0x10000000 /* IORING_OFF_SQES */

/* Apart from is_ring(), so that no request clears a message that it does not need. */
__attribute__((noinline)) static bool names_ring(int fd)
{
	static const char name[] = "anon_inode:[io_uring]";
	struct message path = { .length = 0 };
	char link[sizeof(name)];

	message_text(&path, "/proc/thread-self/fd/");
	message_number(&path, (uint64_t)fd, 0);
	path.text[path.length] = 0;
	return os_call(SYS_readlinkat, AT_FDCWD, (long)path.text, (long)link, sizeof(link), 0, 0) == sizeof(name) - 1 &&
	       !memcmp(link, name, sizeof(name) - 1);
}

static bool is_ring(int flags, int fd, off_t offset)
{
	return __builtin_expect(offset == RING_OFFSET, 0) && fd >= 0 && flags & MAP_SHARED &&
	       !(flags & MAP_ANONYMOUS) && names_ring(fd);
}

static void *map_counted(void *address, size_t length, int protection, int flags, int fd, off_t offset,
			 struct asker asker)
{
	struct observation o = observe(false);
	void *result;

	/* It would grow over free pages of the region's, which are mapped already. */
	if (__builtin_expect(!!(flags & MAP_GROWSDOWN), 0) && address)
		stand_aside(ASIDE_GROWING);
	if (__builtin_expect(is_ring(flags, fd, offset), 0))
		stand_aside(ASIDE_PINNED);
	result = map(address, length, protection, flags, fd, offset, asker);
	if (__builtin_expect(result == MAP_FAILED, 0) && errno == ENOMEM && limits_make_way())
		result = map(address, length, protection, flags, fd, offset, asker);
	if (!gate_of(result) || flags & MAP_FIXED) {
		view_add(&view.passed, 1);
		if (flags & MAP_ANONYMOUS && protection & PROT_WRITE && !(flags & (MAP_FIXED | MAP_NORESERVE)) &&
		    result != MAP_FAILED && !sparse_expected(length))
			retention_others((int64_t)length);
	}
	if (__builtin_expect(observing, 0))
		map_observed(o, address, length, protection, flags, result);
	return result;
}

/* The program's own request, in a signal handler over malloc() too, needs zeros. */
#define FOR_THE_PROGRAM(call)                                                                                          \
	({                                                                                                             \
		size_t request = uncleared_request;                                                                    \
		void *result;                                                                                          \
                                                                                                                       \
		uncleared_request = 0;                                                                                 \
		result = (call);                                                                                       \
		uncleared_request = request;                                                                           \
		result;                                                                                                \
	})

/*
 * Our own flag is none of the program's: mmap() heeds no flag that it does not know, but MAP_SHARED_VALIDATE, and
 * mremap() refuses it. Of huge pages it is a bit of their size.
 */
static int programs_flags(int flags)
{
	bool heeded = flags & MAP_HUGETLB || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;

	return heeded ? flags : flags & ~UPA_MAP_UNCLEARED;
}

EXPORT void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	if (ENTRY_RETURNS(mmap))
		return FOR_THE_PROGRAM(next.mmap(address, length, protection, flags, fd, offset));
	return map_counted(address, length, protection, programs_flags(flags), fd, offset, ASKER(mmap));
}

EXPORT void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	if (ENTRY_RETURNS(mmap64))
		return FOR_THE_PROGRAM(next.mmap64(address, length, protection, flags, fd, offset));
	return map_counted(address, length, protection, programs_flags(flags), fd, offset, ASKER(mmap64));
}

void *libc_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	int said = flags == (MAP_PRIVATE | MAP_ANONYMOUS) && uncleared(length) ? UPA_MAP_UNCLEARED : 0;

	return map_counted(address, length, protection, programs_flags(flags) | said, fd, offset, ASKER(mmap));
}

static int unmap_now(void *address, size_t length)
{
	struct upa_region *region = gate_touched(address, length);
	int result;

	purging_forget(address, length);
	if (!region || !gate_knows(address))
		heap_disturb(address, length, false);
	if (!region)
		return (int)entry_result(ENTRY_PASS(munmap, os_munmap(address, length), address, length));
	if (__builtin_expect(length >= SPARSE_LEAST_BYTES, 0) && sparse_unmap(region, address, length))
		result = 0;
	else
		result = upa_munmap(address, length);
	if (!result && gate_knows(address))
		retention_account(-(int64_t)length);
	return result;
}

/* Pages with state of their own are replaced when they are unmapped, which a limit may forbid. */
static int unmap(void *address, size_t length)
{
	int result = unmap_now(address, length);

	if (__builtin_expect(result, 0) && errno == ENOMEM && limits_make_way())
		result = unmap_now(address, length);
	return result;
}

int libc_munmap(void *address, size_t length)
{
	struct observation o = observe(true);
	int result = unmap(address, length);

	observed(o, true, UPA_TRACE_UNMAP, entry_outcome(address, result), 0, (uintptr_t)address, length);
	return result;
}

EXPORT int munmap(void *address, size_t length)
{
	return ENTRY_RETURNS(munmap) ? next.munmap(address, length) : libc_munmap(address, length);
}

static void *kernel_resize(void *old_address, size_t old_size, size_t new_size, int flags, void *to)
{
	long result = ENTRY_PASS(mremap, os_mremap(old_address, old_size, new_size, flags, to), old_address, old_size,
				 new_size, flags, to);

	/* What the program has as one mapping of what was the region, the kernel may have as several. */
	if (__builtin_expect(result == -EFAULT, 0) && old_size && (uintptr_t)old_address <= UINTPTR_MAX - old_size &&
	    gate_knows(old_address) && gate_knows((char *)old_address + old_size - 1))
		result = upa_mman_remap_pieces(old_address, old_size, new_size, flags, to);
	return (void *)entry_result(result);
}

static void *resize_now(void *old_address, size_t old_size, size_t new_size, int flags, void *to, int uncleared_flag)
{
	if (flags & UPA_MAP_UNCLEARED)
		return kernel_resize(old_address, old_size, new_size, flags, to);
	if (gate_touched(old_address, old_size) || (flags & MREMAP_FIXED && gate_touched(to, new_size)))
		return upa_mremap(old_address, old_size, new_size, flags | uncleared_flag, to);
	return kernel_resize(old_address, old_size, new_size, flags, to);
}

static void *resize(void *old_address, size_t old_size, size_t new_size, int flags, void *to, int uncleared_flag)
{
	struct observation o = observe(true);
	struct upa_region *from = gate_of(old_address);
	void *result;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		heap_disturb(to, new_size, false);
	heap_disturb(old_address, old_size, false);
	result = resize_now(old_address, old_size, new_size, flags, to, uncleared_flag);
	if (result == MAP_FAILED && errno == ENOMEM && limits_make_way())
		result = resize_now(old_address, old_size, new_size, flags, to, uncleared_flag);
	if (from && result != MAP_FAILED)
		retention_account((gate_knows(result) ? (int64_t)new_size : 0) - (int64_t)old_size);
	observed(o, true, UPA_TRACE_RESIZE, entry_outcome(old_address, (long)result), (unsigned)flags,
		 (uintptr_t)old_address, old_size);
	if (o.record && result != MAP_FAILED)
		trace_fill(trace_claim(), UPA_TRACE_RESIZED, entry_outcome(result, 0), (unsigned)flags,
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
	if (ENTRY_RETURNS(mremap))
		return FOR_THE_PROGRAM(next.mremap(old_address, old_size, new_size, flags, to));
	return resize(old_address, old_size, new_size, flags, to, 0);
}

/* Its register of the fifth argument holds anything without MREMAP_FIXED. */
void *libc_mremap(void *old_address, size_t old_size, size_t new_size, int flags, void *to)
{
	return resize(old_address, old_size, new_size, flags, to, uncleared(new_size) ? UPA_MAP_UNCLEARED : 0);
}

/* ---- for libupa_malloc.so, by names that no other library has ------------------------------------------------- */

EXPORT void *__upa_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	return map_counted(address, length, protection, flags, fd, offset,
			   (struct asker){ __builtin_return_address(0), NULL });
}

EXPORT int __upa_munmap(void *address, size_t length)
{
	return libc_munmap(address, length);
}

EXPORT void *__upa_mremap(void *old_address, size_t old_size, size_t new_size, int flags)
{
	return resize(old_address, old_size, new_size, flags, NULL, 0);
}

ENTRY_IS_OWN(mmap);
ENTRY_IS_OWN(munmap);
ENTRY_IS_OWN(mremap);
