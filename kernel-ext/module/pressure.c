// SPDX-License-Identifier: GPL-2.0
/*
 * Which regions memory pressure may look at, and when. They stand in lists by memory cgroup and
 * node, as inodes of a file system do: where a cgroup is at its limit, the kernel asks for what its
 * own processes keep, and no other region is touched. A region belongs to the cgroup in which its
 * owner was when it became one that may be looked at; if that cgroup ends, to the next above it.
 * What is taken of it is in reclaim.c and unused.c.
 *
 * The kernel knows the cgroup of an object by the slab it lies in, and a node by the page; so each
 * region has a small object of its own kind here.
 */
#include <linux/jiffies.h>
#include <linux/list_lru.h>
#include <linux/shrinker.h>
#include <linux/slab.h>

#include "region.h"

#define UPA_SCAN_PATIENCE (HZ / 4)
#define UPA_PRESSURE_BATCH (32UL * UPADEV_BLOCK_PAGES)

/**
 * struct upa_watch - a region that memory pressure may look at
 * @link: in the list of its cgroup and node
 * @region: which
 * @users: those who look at it just now, and 1 for the list
 * @done: completed when the last of them is gone
 */
struct upa_watch {
	struct list_head link;
	struct upa_region *region;
	refcount_t users;
	struct completion done;
};

static struct kmem_cache *upa_watches;
static struct list_lru upa_watched;
static bool upa_watched_ready;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define upa_lru_add list_lru_add_obj
#define upa_lru_del list_lru_del_obj
#else
#define upa_lru_add list_lru_add
#define upa_lru_del list_lru_del
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define UPA_WALK(name)                                                                             \
	enum lru_status name(struct list_head *item, struct list_lru_one *list, void *data)
#else
#define UPA_WALK(name)                                                                             \
	enum lru_status name(struct list_head *item, struct list_lru_one *list, spinlock_t *lock,  \
			     void *data)
#endif

/* What upa_watch_begin() needs, before there is anything that would have to be undone. */
struct upa_watch *upa_watch_make(struct upa_region *r)
{
	struct upa_watch *w = kmem_cache_alloc_lru(upa_watches, &upa_watched, GFP_KERNEL);

	if (!w)
		return NULL;
	INIT_LIST_HEAD(&w->link);
	w->region = r;
	refcount_set(&w->users, 1);
	init_completion(&w->done);
	return w;
}

/* A region ready for use; until upa_watch_end() it may be looked at any time. */
void upa_watch_begin(struct upa_region *r, struct upa_watch *w)
{
	r->watch = w;
	upa_lru_add(&upa_watched, &w->link);
}

void upa_watch_free(struct upa_watch *w)
{
	if (w)
		kmem_cache_free(upa_watches, w);
}

static void upa_watch_put(struct upa_watch *w)
{
	if (refcount_dec_and_test(&w->users))
		complete(&w->done);
}

/* Waits for whoever looks at the region just now, which is one batch of pages at most. */
void upa_watch_end(struct upa_region *r)
{
	struct upa_watch *w = r->watch;

	if (!w)
		return;
	upa_lru_del(&upa_watched, &w->link);
	upa_watch_put(w);
	wait_for_completion(&w->done);
	upa_watch_free(w);
	r->watch = NULL;
}

static UPA_WALK(upa_add_pages)
{
	const struct upa_region *r = container_of(item, struct upa_watch, link)->region;
	unsigned long *pages = data;
	u64 frames = READ_ONCE(r->frames);

	if (!upa_barren(r))
		*pages += frames - min_t(u64, frames, upa_gone_pages(r));
	return LRU_SKIP;
}

/* The one that was looked at longest ago, which becomes the last in line. */
static UPA_WALK(upa_take_turn)
{
	struct upa_watch *w = container_of(item, struct upa_watch, link);

	refcount_inc(&w->users);
	*(struct upa_watch **)data = w;
	return LRU_ROTATE;
}

/* SHRINK_EMPTY: not asked again before a region is added. */
static unsigned long upa_count_pages(struct shrinker *shrinker, struct shrink_control *control)
{
	unsigned long pages = 0, all = ULONG_MAX;

	/* Pairs with the release in upa_pressure_init(). */
	if (!smp_load_acquire(&upa_watched_ready) || !list_lru_shrink_count(&upa_watched, control))
		return SHRINK_EMPTY;
	list_lru_walk_one(&upa_watched, control->nid, control->memcg, upa_add_pages, &pages, &all);
	return pages;
}

static unsigned long upa_scan_pages(struct shrinker *shrinker, struct shrink_control *control)
{
	unsigned long turns = list_lru_shrink_count(&upa_watched, control), freed = 0;
	unsigned int patience = UPA_SCAN_PATIENCE;

	while (turns-- && freed < control->nr_to_scan) {
		struct upa_watch *w = NULL;
		unsigned long one = 1;

		list_lru_walk_one(&upa_watched, control->nid, control->memcg, upa_take_turn, &w,
				  &one);
		if (!w)
			break;
		if (!upa_barren(w->region))
			freed += upa_reclaim_for_others(w->region, control->nr_to_scan - freed,
							&patience);
		upa_watch_put(w);
	}
	return freed ?: SHRINK_STOP;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
static struct shrinker *upa_shrinker;

static struct shrinker *upa_shrinker_make(void)
{
	upa_shrinker = shrinker_alloc(SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE, "upa");
	if (!upa_shrinker)
		return NULL;
	upa_shrinker->count_objects = upa_count_pages;
	upa_shrinker->scan_objects = upa_scan_pages;
	upa_shrinker->batch = UPA_PRESSURE_BATCH;
	return upa_shrinker;
}

static void upa_shrinker_start(void)
{
	shrinker_register(upa_shrinker);
}

static void upa_shrinker_end(void)
{
	shrinker_free(upa_shrinker);
}
#else
static struct shrinker upa_shrinker = {
	.count_objects = upa_count_pages,
	.scan_objects = upa_scan_pages,
	.seeks = DEFAULT_SEEKS,
	.batch = UPA_PRESSURE_BATCH,
	.flags = SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE,
};

/* It is asked from now on: the lists have its number only after it. */
static struct shrinker *upa_shrinker_make(void)
{
	return register_shrinker(&upa_shrinker, "upa") ? NULL : &upa_shrinker;
}

static void upa_shrinker_start(void)
{
}

static void upa_shrinker_end(void)
{
	unregister_shrinker(&upa_shrinker);
}
#endif

int upa_pressure_init(void)
{
	struct shrinker *shrinker;

	upa_watches =
		kmem_cache_create("upa_watch", sizeof(struct upa_watch), 0, SLAB_ACCOUNT, NULL);
	if (!upa_watches)
		return -ENOMEM;
	shrinker = upa_shrinker_make();
	if (!shrinker)
		goto no_shrinker;
	if (list_lru_init_memcg(&upa_watched, shrinker))
		goto no_lists;
	smp_store_release(&upa_watched_ready, true);
	upa_shrinker_start();
	return 0;
no_lists:
	upa_shrinker_end();
no_shrinker:
	kmem_cache_destroy(upa_watches);
	return -ENOMEM;
}

void upa_pressure_exit(void)
{
	upa_shrinker_end();
	list_lru_destroy(&upa_watched);
	kmem_cache_destroy(upa_watches);
}
