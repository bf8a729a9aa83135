// SPDX-License-Identifier: GPL-2.0
/*
 * What a region costs. Frames and tables stay in memory whatever happens, so they count against
 * the locked-memory limit (RLIMIT_MEMLOCK) of the user who made the region, as the buffers of
 * io_uring and perf do: a process that leaves its descriptor to another leaves its charge there
 * as well. They show as VmPin of the owner, and all are charged to the memory cgroup.
 */
#include <linux/capability.h>
#include <linux/gfp.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/swap.h>
#include <linux/vmalloc.h>

#include "region.h"

int upa_charge(struct upa_region *r, u64 pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	long before = atomic_long_read(&r->user->locked_vm);

	lockdep_assert_held(&r->create_lock);
	do {
		if (before + pages > limit && !capable(CAP_IPC_LOCK))
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&r->user->locked_vm, &before, before + pages));
	atomic64_add(pages, &r->mm->pinned_vm);
	r->charged_pages += pages;
	return 0;
}

void upa_uncharge(struct upa_region *r, u64 pages)
{
	atomic_long_sub(pages, &r->user->locked_vm);
	atomic64_sub(pages, &r->mm->pinned_vm);
	r->charged_pages -= pages;
}

/*
 * Has the machine so much that nobody else need die for it? What is asked for piece by piece, and
 * may fail, would else drive the machine to where the next small request of a bystander calls the
 * OOM killer.
 */
bool upa_can_spare(u64 pages)
{
	return pages <= (u64)si_mem_available() + max_t(long, get_nr_swap_pages(), 0);
}

/* Zeroed memory that is shared with the process, or NULL; never a reason to kill anybody. */
void *upa_alloc_shared(u64 bytes)
{
	return __vmalloc(bytes, GFP_KERNEL_ACCOUNT | __GFP_HIGHMEM | __GFP_ZERO |
					__GFP_RETRY_MAYFAIL | __GFP_NOWARN);
}
