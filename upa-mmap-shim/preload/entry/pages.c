/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on pages that are there: madvise(), mprotect(), mlock() and their kin, and whatever else leaves something
 * behind on pages.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/mman.h>

#include <upa/mman.h>

#include "entry/entry.h"
#include "entry/limits.h"
#include "upkeep/heap.h"
#include "gate.h"
#include "mman/hint_check.h"
#include "mman/mman_private.h"
#include "mman/ranges.h"
#include "observe/observe.h"
#include "observe/view_writer.h"
#include "os/filter.h"
#include "upkeep/purging.h"
#include "region/region_private.h"
#include "pager/pager.h"
#include "stand_aside.h"

/* An address where nothing is mapped, nor can be. */
#define NOBODYS (-2 * 4096l)

/* Purging asks the kernel more than a filter may know of. */
static bool may_purge(void)
{
	static _Atomic bool looked;

	if (__builtin_expect(!atomic_load_explicit(&looked, memory_order_relaxed), 0)) {
		atomic_store_explicit(&looked, true, memory_order_relaxed);
		if (os_filter_inherited())
			stand_aside(ASIDE_INHERITED);
	}
	return true;
}

/*
 * What the kernel does not tell the pager of. Guards take what was there: dropped once more, it is an event. What a
 * child must not have stays in memory: where it is not, nobody would know that the child gets zeros.
 */
static void advise_paged(void *address, size_t length, int advice)
{
	switch (advice) {
	case MADV_GUARD_INSTALL: os_madvise(address, length, MADV_DONTNEED); break;
	case MADV_WIPEONFORK:
		if (os_call(SYS_mlock, (long)address, (long)length, 0, 0, 0, 0))
			pager_leave();
		break;
	case MADV_WILLNEED: pager_hint(address, length, UPA_WILL_NEED, 0); break;
	case MADV_COLD:
	case MADV_PAGEOUT: pager_hint(address, length, UPA_WONT_NEED, 0); break;
	case MADV_SEQUENTIAL: pager_hint(address, length, UPA_SEQUENTIAL, 0); break;
	case MADV_RANDOM: pager_hint(address, length, UPA_RANDOM, 0); break;
	case MADV_NORMAL: pager_hint(address, length, UPA_NORMAL, 0); break;
	default: break;
	}
}

int libc_madvise(void *address, size_t length, int advice)
{
	struct observation o = observe(true);
	bool kept, paged = pager_wanted() && gate_touched(address, length);
	int result = 0;

	/* The pager is not told when such a page is written again, and would never evict it. */
	if (advice == MADV_FREE && paged)
		advice = MADV_DONTNEED;
	if (advice == MADV_NOHUGEPAGE)
		stand_aside(ASIDE_NO_HUGE_PAGES);
	if (advice == MADV_GUARD_INSTALL && !gate_of(address))
		stand_aside(ASIDE_GUARDED);
	if (advice != MADV_HUGEPAGE && advice != MADV_NOHUGEPAGE && advice != MADV_COLLAPSE)
		heap_disturb(address, length,
			     advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_WILLNEED);
	kept = advice == MADV_DONTNEED && may_purge() && purging(gate_region(), address, length);
	if (kept) {
		view_add(&view.purges, 1);
	} else {
		result = gate_touched(address, length) ?
				 upa_madvise(address, length, advice) :
				 (int)entry_result(ENTRY_PASS(madvise, os_madvise(address, length, advice), address,
							      length, advice));
	}
	/* What the kernel has dropped is no longer left resident: of pieces too small to be purged here, all. */
	if (!kept && !result &&
	    (advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED || advice == MADV_GUARD_INSTALL))
		purging_forget(address, length);
	if (paged && !result)
		advise_paged(address, length, advice);
	observed(o, true, UPA_TRACE_ADVISE, (kept ? UPA_TRACE_SERVED : 0) | (result ? UPA_TRACE_FAILED : 0),
		 (unsigned)advice, (uintptr_t)address, length);
	return result;
}

EXPORT int madvise(void *address, size_t length, int advice)
{
	return ENTRY_RETURNS(madvise) ? next.madvise(address, length, advice) : libc_madvise(address, length, advice);
}

static int call_posix_madvise(char *address, size_t length, long advice)
{
	/* An empty range asks whether there is such advice: nobody else need see that. */
	return length ? -next.posix_madvise(address, length, (int)advice) : os_madvise(address, length, (int)advice);
}

EXPORT int posix_madvise(void *address, size_t length, int advice)
{
	int saved = errno;
	int result;

	/* As libc has it: POSIX's "don't need" keeps the contents, Linux's does not. */
	if (advice == POSIX_MADV_DONTNEED)
		pager_hint(address, length, UPA_WONT_NEED, 0);
	if (advice == POSIX_MADV_DONTNEED && !next_foreign.posix_madvise)
		return 0;
	if (next_foreign.posix_madvise && !gate_touched(address, length))
		return next.posix_madvise(address, length, advice);
	if (next_foreign.posix_madvise)
		result = upa_mman_apply_past_holes(address, length, advice != POSIX_MADV_WILLNEED, call_posix_madvise,
						   advice);
	else
		result = libc_madvise(address, length, advice);
	result = result ? errno : 0;
	errno = saved;
	return result;
}

EXPORT int upa_hint(const void *address, size_t length, enum upa_hint_kind kind, int priority)
{
	if (!hint_makes_sense(kind, priority))
		return -EINVAL;
	pager_hint((char *)address, length, kind, priority);
	return 0;
}

static int protect(void *address, size_t length, int protection)
{
	return gate_touched(address, length) ?
		       upa_mprotect(address, length, protection) :
		       (int)entry_result(ENTRY_PASS(mprotect, os_mprotect(address, length, protection), address, length,
						    protection));
}

int libc_mprotect(void *address, size_t length, int protection)
{
	struct observation o = observe(true);
	int result;

	heap_disturb(address, length, false);
	/* What is committed is about to be used. */
	if (protection & PROT_WRITE)
		purging_forget(address, length);
	result = protect(address, length, protection);
	/* Memory that becomes writable is promised then. */
	if (result && errno == ENOMEM && protection & PROT_WRITE && limits_make_way())
		result = protect(address, length, protection);
	observed(o, true, UPA_TRACE_PROTECT, result ? UPA_TRACE_FAILED : 0, (unsigned)protection, (uintptr_t)address,
		 length);
	return result;
}

EXPORT int mprotect(void *address, size_t length, int protection)
{
	return ENTRY_RETURNS(mprotect) ? next.mprotect(address, length, protection) :
					 libc_mprotect(address, length, protection);
}

/* mlock() and its kin take any address of a page. */
static int apply(const void *address, size_t length, bool sticks, upa_call_on_range *call, long argument)
{
	uintptr_t offset = (uintptr_t)address % 4096;

	if (sticks)
		heap_disturb((char *)address, length, false);
	else
		heap_uncover((char *)address, length);
	if (!gate_touched(address, length))
		return (int)entry_result(call((char *)address, length, argument));
	return upa_mman_apply((char *)address - offset, length + offset, sticks, call, argument);
}

static int call_mlock(char *address, size_t length, long unused)
{
	(void)unused;
	return (int)ENTRY_PASS(mlock, os_call(SYS_mlock, (long)address, (long)length, 0, 0, 0, 0), address, length);
}

int libc_mlock(const void *address, size_t length)
{
	stand_aside(ASIDE_LOCKED);
	return apply(address, length, true, call_mlock, 0);
}

EXPORT int mlock(const void *address, size_t length)
{
	return ENTRY_RETURNS(mlock) ? next.mlock(address, length) : libc_mlock(address, length);
}

static int call_mlock2(char *address, size_t length, long flags)
{
	return (int)ENTRY_PASS(mlock2, os_call(SYS_mlock2, (long)address, (long)length, flags, 0, 0, 0), address,
			       length, (unsigned)flags);
}

EXPORT int mlock2(const void *address, size_t length, unsigned flags)
{
	/* The kernel looks at them first. */
	if (flags & ~(unsigned)MLOCK_ONFAULT)
		return (int)entry_result(call_mlock2((char *)address, length, (long)flags));
	stand_aside(ASIDE_LOCKED);
	return apply(address, length, true, flags || next_foreign.mlock2 ? call_mlock2 : call_mlock, (long)flags);
}

static int call_munlock(char *address, size_t length, long unused)
{
	(void)unused;
	return (int)ENTRY_PASS(munlock, os_call(SYS_munlock, (long)address, (long)length, 0, 0, 0, 0), address, length);
}

EXPORT int munlock(const void *address, size_t length)
{
	return apply(address, length, false, call_munlock, 0);
}

static int call_msync(char *address, size_t length, long flags)
{
	const struct upa_region *region = gate_of(address);

	/* Memory of the device has a file to the kernel, but none to write to. */
	if (region && !upa_region_ordinary(region))
		flags &= ~(long)MS_SYNC;
	/* An empty range asks whether there are such flags: nobody else need see that. */
	if (!length)
		return (int)os_call(SYS_msync, (long)address, 0, flags, 0, 0, 0);
	return (int)ENTRY_PASS(msync, os_call(SYS_msync, (long)address, (long)length, flags, 0, 0, 0), address, length,
			       (int)flags);
}

EXPORT int msync(void *address, size_t length, int flags)
{
	next_need();
	heap_uncover(address, length);
	/* The next one, which may be cancelled, for what may have to wait. */
	if (!gate_touched(address, length) && next.msync && !entry_by_number)
		return next.msync(address, length, flags);
	return upa_mman_apply_past_holes(address, length, false, call_msync, flags);
}

static int call_mincore(char *address, size_t length, long pages)
{
	return (int)ENTRY_PASS(mincore, os_mincore(address, length, (unsigned char *)pages), address, length,
			       (unsigned char *)pages);
}

EXPORT int mincore(void *address, size_t length, unsigned char *pages)
{
	heap_uncover(address, length);
	/* Of a range that ends where no memory is the kernel says so before it looks at what is there. */
	if (!gate_touched(address, length) || length > MOST_ADDRESSES - (uintptr_t)address)
		return (int)entry_result(call_mincore(address, length, (long)pages));
	return upa_mman_apply(address, length, false, call_mincore, (long)pages);
}

static int call_pkey_mprotect(char *address, size_t length, long protection_and_key)
{
	int protection = (int)(protection_and_key >> 32), key = (int)protection_and_key;

	return (int)ENTRY_NEXT(pkey_mprotect,
			       os_call(SYS_pkey_mprotect, (long)address, (long)length, protection, key, 0, 0), address,
			       length, protection, key);
}

EXPORT int pkey_mprotect(void *address, size_t length, int protection, int key)
{
	int result;

	if (key == -1 && !next_foreign.pkey_mprotect)
		return libc_mprotect(address, length, protection);
	stand_aside(ASIDE_KEYED);
	heap_disturb(address, length, false);
	/*
	 * The kernel looks at the key before it looks for pages, and at the range before: where nothing is mapped, nor
	 * can be, it says what is wrong with the key.
	 */
	if (gate_touched(address, length) && (uintptr_t)address + page_up(length) > (uintptr_t)address) {
		long refused = os_call(SYS_pkey_mprotect, NOBODYS, 4096, protection, key, 0, 0);

		if (refused && refused != -ENOMEM)
			return (int)entry_result(refused);
	}
	result = upa_mman_apply(address, length, true, call_pkey_mprotect, (long)protection << 32 | (unsigned)key);
	if (result && errno == ENOMEM && protection & PROT_WRITE && limits_make_way())
		result = apply(address, length, true, call_pkey_mprotect, (long)protection << 32 | (unsigned)key);
	return result;
}

/*
 * What the kernel looks at before it looks for pages: the address, for which an empty range is good, then the policy,
 * which takes a page.
 */
static long refused_policy(void *address, int mode, const unsigned long *nodes, unsigned long max_node, unsigned flags)
{
	long error = os_call(SYS_mbind, (long)address, 0, mode, (long)nodes, (long)max_node, flags);
	long page;

	if (error)
		return error;
	page = os_mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (os_failed(page))
		return page;
	error = os_call(SYS_mbind, page, (long)PAGE_BYTES, mode, (long)nodes, (long)max_node, flags);
	os_munmap((void *)page, PAGE_BYTES);
	return error;
}

/* Free pages are holes, in which only the default policy has no meaning, if there is anything else. */
static bool binds_a_hole(void *address, size_t length, int mode)
{
	struct upa_region *region = gate_of(address);
	struct range hole, other;

	return region && length && upa_region_next(region, address, length, true, &hole) &&
	       (mode || !upa_region_next(region, address, length, false, &other));
}

EXPORT long mbind(void *address, unsigned long length, int mode, const unsigned long *nodes, unsigned long max_node,
		  unsigned flags)
{
	heap_disturb(address, length, false);
	if (binds_a_hole(address, length, mode)) {
		long error = refused_policy(address, mode, nodes, max_node, flags);

		return entry_result(error ? error : -EFAULT);
	}
	entry_taint(address, length);
	return entry_result(ENTRY_NEXT(
		mbind, os_call(SYS_mbind, (long)address, (long)length, mode, (long)nodes, (long)max_node, flags),
		address, length, mode, nodes, max_node, flags));
}

/* ---- by their numbers only, for libc has no functions of these names ------------------------------------------ */

#define POLICY_OF_ADDRESS 2 /* MPOL_F_ADDR */

/* To the program no page of the region: free. */
static bool is_hole(const void *address)
{
	struct upa_region *region = gate_of(address);
	char *page = (char *)((uintptr_t)address & ~(PAGE_BYTES - 1));
	struct range hole;

	return region && upa_region_next(region, page, PAGE_BYTES, true, &hole);
}

/* Whatever else is wrong the kernel says first: it is asked about a page that is nobody's. */
long entry_get_mempolicy(const long a[6])
{
	bool hole = a[4] & POLICY_OF_ADDRESS && is_hole((const void *)a[3]);

	return os_call(SYS_get_mempolicy, a[0], a[1], a[2], hole ? NOBODYS : a[3], a[4], 0);
}

/* Of this process's pages. What has been granted has been read, and a state of each has been written. */
long entry_move_pages(const long a[6])
{
	const void *const *pages = (const void *const *)a[2];
	int *states = (int *)a[4];
	long result = os_call(SYS_move_pages, a[0], a[1], a[2], a[3], a[4], a[5]);
	bool here = !a[0] || a[0] == os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);

	for (long i = 0; here && !os_failed(result) && i < a[1]; i++)
		if (is_hole(pages[i]))
			states[i] = -EFAULT;
	return result;
}

ENTRY_IS_OWN(madvise);
ENTRY_IS_OWN(mprotect);
ENTRY_IS_OWN(mlock);
ENTRY_IS_OWN(mlock2);
ENTRY_IS_OWN(munlock);
ENTRY_IS_OWN(mincore);
ENTRY_IS_OWN(msync);
ENTRY_IS_OWN(pkey_mprotect);
ENTRY_IS_OWN(mbind);
