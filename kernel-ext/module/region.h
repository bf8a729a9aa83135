/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a region is inside the module, and which file does what with it.
 *
 * Lifetime. A region lives as long as its struct file: mappings hold the file, so upa_release()
 * runs when neither a descriptor nor a mapping is left. A pager has a file of its own, which does
 * not hold the region. A call of his does (->users), but not while it copies user memory. A thread
 * that waits for a page that is away holds the file, since it gives up mmap_lock.
 *
 * Locks, in the order in which they are taken
 *   create_lock    making and resizing: the only writers of ->frames, ->ready, ->charged_pages
 *   mmap_lock      of the owner. Every walk of its page tables by this module holds it, and has
 *                  found the data mapping in the tree (upa_data_vma()). Writers are mmap(),
 *                  mremap() and the part of munmap() that takes the mapping out of the tree.
 *   refill_lock    frames that are taken from a living pool and brought back by touches. The
 *                  shrinker, which tries it only, tries mmap_lock after it
 *   moves          read by calls that end a move of frame numbers, written while the shadow table
 *                  is searched for numbers
 *   i_mmap_rwsem   of ->mapping, the kernel's: inside unmap_mapping_range()
 *   flush_lock     one shoot-down at a time; nothing is allocated and nobody waited for under it
 *   upa_away.lock  threads that wait for pages, and who is the pager; then upa_pager.lock
 *   page table     the kernel's own spin lock, of a table or of the level above it: shadow,
 *                  ->frames, ->entries or ->blocks, and the entry are read and written under one
 *                  holding of it
 *
 * With ->blocks an entry of the level above a page table may come and go (0, or one of 2 MiB) and
 * become a table under mmap_lock held for reading. A table goes, or is made by other than a fault,
 * only with mmap_lock held for writing; the former with i_mmap_rwsem as well.
 *
 * lockdep is asked for mmap_lock by name: mmap_assert_locked() needs what no module is given, on a
 * kernel with CONFIG_DEBUG_VM.
 *
 * A task that waits for a lock which somebody may hold for long can be killed. The shrinker waits
 * for none but the last two, and a few jiffies at most for moves. User memory is copied under none
 * of them.
 *
 * Where frames leave a pool, and why nothing reaches them then
 *   upa_release()      No mapping is left: each holds the file. So the kernel has emptied the
 *                      tables and flushed the TLBs of each.
 *   upa_pool_shrink()  First ->frames is lowered: no entry is installed any more, since whoever
 *                      installs reads it under the page table lock. Then unmap_mapping_range()
 *                      empties all tables. It finds the data mapping by ->mapping, not by the
 *                      owner's tree: munmap() takes it out of the tree first and empties its
 *                      tables later, holding mmap_lock only for reading, but out of ->mapping it
 *                      goes after that (under i_mmap_rwsem) and before its tables are freed. It
 *                      also tells secondary MMUs. Then every CPU flushes everything, also what
 *                      other calls have cleared and not flushed yet.
 *   upa_reclaim()      The same, with entries set to 0 in the place of the lower bound.
 *   upa_take_unused()  Entries are set to 0 first. Then all tables are searched for the frames that
 *                      stood there, under mmap_lock with the mapping in the tree; if that is not to
 *                      be had, or others share the tables, unmap_mapping_range() as above. Then
 *                      every CPU flushes everything.
 *
 * Where it is asked whether the data is mapped
 *   upa_data_vma()           By whoever walks tables, under mmap_lock: what is in the tree stays
 *                            mapped, with its tables, until the lock is released. What is not may
 *                            still have entries, so a "no" must never be a reason to free.
 *   upa_mapped()             The same, of a batch that may be the owner's.
 *   upa_get_unmapped_area()  Before a second mapping, and before mremap() moves anything; under
 *   upa_mmap_data()          mmap_lock for writing. munmap() holds it, for reading, until
 *                            ->close, so that a mapping being taken apart counts as one.
 *   upa_fsync()              Without a lock: only what is answered depends on it.
 */
#ifndef UPA_REGION_H
#define UPA_REGION_H

#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/mutex.h>
#include <linux/version.h>

#include "upa.h"

#if defined(CONFIG_X86_64) == 0
#error "upa knows the page tables of x86-64 only"
#endif

struct upa_away;
struct upa_pager;
struct upa_raw;
struct upa_watch;

/**
 * struct upa_allocator - where an allocator of the process's keeps its words; see upa.h
 * @units: pages or frames that it manages
 * @group: one word for each 16 trees
 * @tree: one word for each 16 children
 * @child: one word for each 512 units
 * @bitmap: 8 words of allocation bits and 8 others for each child
 */
struct upa_allocator {
	u64 units;
	const u32 *group;
	const u32 *tree;
	const u32 *child;
	const u64 *bitmap;
};

/**
 * struct upa_unused - of a region whose process has declared its allocators
 * @pages: of pages
 * @frames: of frames
 * @taken: in the state: frames taken so far; a mark
 * @told_bound: in the state: @bound, for the process
 * @page_marks: in the state: children with a free page whose frame was taken
 * @frame_marks: in the state: children with a free frame that was taken
 * @absent: in the state: frames that have no memory
 * @next_page_row: of 64 pages, where the next search begins; refill_lock
 * @next_frame_row: the same of frames
 * @gone: frames that have no memory: their entries are 0
 * @bound: of frames that have some; refill_lock
 * @growing: frames that UPADEV_RESIZE is about to add; refill_lock
 * @starving_since: in jiffies: since then no touch has had memory within the bound, and some wanted
 * @starved: when the last one wanted in vain
 */
struct upa_unused {
	struct upa_allocator pages;
	struct upa_allocator frames;
	atomic64_t *taken;
	u64 *told_bound;
	unsigned long *page_marks;
	unsigned long *frame_marks;
	unsigned long *absent;
	u64 next_page_row;
	u64 next_frame_row;
	atomic64_t gone;
	u64 bound;
	u64 growing;
	unsigned long starving_since;
	unsigned long starved;
};

/**
 * struct upa_blocks - of a region whose shadow table may name blocks; see blocks.c
 * @entries: of each block of frames: the entry of 2 MiB that maps it, or 0 while it has none.
 *	Written under create_lock or refill_lock; READ_ONCE() under the lock of the entry
 *	that is set from it
 * @absent: of each block of frames: how many are hidden or have no memory; as @entries
 * @seen: of each block of pages: UPA_SEEN_* of entries that were taken away before anybody had
 *	harvested their bits; under the lock of the entry
 * @tables: of each GiB of addresses: the table of its entries, once it was found; mmap_lock
 */
struct upa_blocks {
	u64 *entries;
	u16 *absent;
	u8 *seen;
	pmd_t **tables;
};

#define UPA_SEEN_ACCESSED 1
#define UPA_SEEN_DIRTY 2

/**
 * struct upa_counters - since the region was made; see struct upadev_stats
 * @faults: touches that found a valid entry
 * @fault_pages: pages installed by them
 * @bad_faults: touches answered by SIGBUS
 * @map_calls: UPADEV_MAP, or by fadvise()
 * @map_pages: entries set by them
 * @unmap_calls: UPADEV_UNMAP, or by fadvise()
 * @unmap_pages: entries cleared by them
 * @shootdowns: flushes of TLBs
 * @shared_shootdowns: served by one that began later
 * @reclaimed_pages: given back to the kernel
 * @block_entries: entries of 2 MiB set
 * @away_faults: touches that waited for a pager
 * @paged_in: pages that a pager has brought
 * @paged_out: and that one has taken
 */
struct upa_counters {
	atomic64_t faults, fault_pages, bad_faults;
	atomic64_t map_calls, map_pages, unmap_calls, unmap_pages;
	atomic64_t shootdowns, shared_shootdowns;
	atomic64_t reclaimed_pages;
	atomic64_t block_entries;
	atomic64_t away_faults, paged_in, paged_out;
};

/**
 * struct upa_region - a pool of page frames, and at which pages of one process they stand
 * @mapping: of the file: finds every mapping of the region
 * @users: the file, and calls of a pager
 * @create_lock: see above
 * @ready: released once everything else is set; what follows does not change its place after it
 * @mode: enum upadev_mode
 * @track: entries are installed neither accessed nor dirty
 * @mm: the owner's, held by mmgrab(): compared with, and counted in (pinned_vm)
 * @cred: of who made it; holds @user, since not every kernel lets a module put a user
 * @user: whose locked memory is charged
 * @pages: of the data
 * @max_frames: bound of the pool
 * @charged_pages: to @user; create_lock
 * @data_vma: from ->mmap to ->close of the data mapping; written with mmap_lock held, by munmap()
 *	for reading
 * @data_start: its first address, which may be 0
 * @data_was_mapped: raw modes map it once only
 * @frames: size of the pool, READ_ONCE() under the page table lock
 * @entries: page table entry of each frame, 0: none at the moment; raw PMD: of each block
 * @entry_mask: guarded mode: keeps an index inside @entries
 * @whole_blocks: set: one allocation of 2 MiB, else 512
 * @blocks: UPADEV_CREATE_BLOCKS, else NULL
 * @shadow: the process writes it: READ_ONCE(), then check
 * @state: shared memory for the process's allocators
 * @state_bytes: of @state
 * @refill_lock: see above
 * @unused: set once, if the process declares its allocators
 * @gone: UPADEV_CREATE_RECLAIM: blocks that the kernel has taken back: their entries are 0;
 *	refill_lock
 * @named: blocks that the shadow table names, when last looked; refill_lock
 * @moves: see above
 * @looking: the shrinker wants @moves: whoever has not begun waits; refill_lock
 * @barren_until: in jiffies: looking sooner is in vain
 * @watch: memory pressure may look at it, by this; NULL: it may not
 * @flush_lock: see above
 * @flushes_begun: counts shoot-downs of all CPUs
 * @away: set once, when the first pager is admitted
 * @raw: what raw modes need besides
 * @notifier: of raw modes, in the mm's list of notifiers
 * @notifier_head: of that list
 * @count: what UPADEV_STATS tells
 * @all_link: in the list of all regions, once ready
 * @owner: the process that made it, as the first name space numbers it; only to be shown
 */
struct upa_region {
	struct address_space mapping;
	refcount_t users;
	struct mutex create_lock;
	bool ready;
	u32 mode;
	bool track;
	struct mm_struct *mm;
	const struct cred *cred;
	struct user_struct *user;
	u64 pages;
	u64 max_frames;
	u64 charged_pages;

	struct vm_area_struct *data_vma;
	unsigned long data_start;
	bool data_was_mapped;

	u64 frames;
	u64 *entries;
	unsigned long entry_mask;
	unsigned long *whole_blocks;
	struct upa_blocks *blocks;

	u32 *shadow;
	void *state;
	u64 state_bytes;

	struct mutex refill_lock;
	struct upa_unused *unused;
	unsigned long *gone;
	unsigned long *named;
	struct rw_semaphore moves;
	bool looking;
	unsigned long barren_until;
	struct upa_watch *watch;

	struct mutex flush_lock;
	u64 flushes_begun;

	struct upa_away *away;
	struct upa_raw *raw;
	const struct hlist_node *notifier;
	struct hlist_node **notifier_head;

	struct upa_counters count;
	struct list_head all_link;
	pid_t owner;
};

static inline u64 upa_data_bytes(const struct upa_region *r)
{
	return r->pages * UPADEV_PAGE_BYTES;
}

/*
 * Entries in the table of ready-made ones: one for each frame, or for each block of frames. In
 * guarded mode a power of two, so that a mask keeps an index inside, also under speculation.
 */
static inline u64 upa_nr_entries(const struct upa_region *r)
{
	if (r->mode == UPADEV_GUARDED)
		return roundup_pow_of_two(r->max_frames);
	return r->mode == UPADEV_RAW_PMD ? r->max_frames / UPADEV_BLOCK_PAGES : r->max_frames;
}

static inline u64 upa_entries_bytes(const struct upa_region *r)
{
	return PAGE_ALIGN(upa_nr_entries(r) * sizeof(*r->entries));
}

static inline u64 upa_shadow_bytes(const struct upa_region *r)
{
	return r->mode == UPADEV_GUARDED ? PAGE_ALIGN(r->pages * sizeof(*r->shadow)) : 0;
}

/*
 * Entries are stored without the paravirtual hooks, which cost more than the rest of the loop;
 * upa_init() refuses the one hypervisor interface that needs them. A kernel that keeps its own
 * books of page tables has to see every change.
 */
static inline void upa_set_entry(struct mm_struct *mm, unsigned long address, pte_t *pte, u64 entry)
{
	if (IS_ENABLED(CONFIG_PAGE_TABLE_CHECK)) {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
		set_ptes(mm, address, pte, native_make_pte(entry), 1);
#else
		set_pte_at(mm, address, pte, native_make_pte(entry));
#endif
	} else {
		native_set_pte(pte, native_make_pte(entry));
	}
}

static inline void upa_clear_entry(struct mm_struct *mm, unsigned long address, pte_t *pte)
{
	if (IS_ENABLED(CONFIG_PAGE_TABLE_CHECK))
		ptep_get_and_clear(mm, address, pte);
	else
		native_set_pte(pte, native_make_pte(0));
}

/*
 * Does an entry map anything? What userfaultfd leaves in a table to remember that a page is write
 * protected, from 6.7 on in any mapping that asks for it, is neither 0 nor an address.
 */
static inline bool upa_maps(u64 entry)
{
	return entry & _PAGE_PRESENT;
}

static inline bool upa_in_region(const struct upa_region *r, u64 page, u64 count)
{
	return count && page < r->pages && count <= r->pages - page;
}

/* account.c: what a region costs, and may cost */
int upa_charge(struct upa_region *r, u64 pages);
void upa_uncharge(struct upa_region *r, u64 pages);
bool upa_can_spare(u64 pages);
void *upa_alloc_shared(u64 bytes);

/* pool.c: page frames */

/**
 * struct upa_block_memory - what a block of frames is made of
 * @whole: one allocation of 2 MiB, or NULL
 * @pages: else 512 of them
 */
struct upa_block_memory {
	struct page *whole;
	struct page **pages;
};

static inline bool upa_block_there(const struct upa_block_memory *m)
{
	return m->whole || m->pages;
}

int upa_pool_grow(struct upa_region *r, u64 frames);
int upa_pool_shrink(struct upa_region *r, u64 frames);
void upa_pool_free(struct upa_region *r, u64 from, u64 to);
struct page *upa_pool_hide(struct upa_region *r, u64 block);
void upa_pool_show(struct upa_region *r, u64 block, struct page *first);
void upa_pool_discard(struct page *first);
int upa_pool_alloc(struct upa_block_memory *m);
void upa_pool_alloc_whole(struct upa_block_memory *m);
void upa_pool_unalloc(struct upa_block_memory *m);
void upa_pool_put(struct upa_region *r, u64 block, struct upa_block_memory *m);

struct page *upa_frame_hide(struct upa_region *r, u64 frame);
void upa_frame_show(struct upa_region *r, u64 frame, struct page *page);
bool upa_frame_put(struct upa_region *r, u64 frame, struct page *page);
bool upa_block_put(struct upa_region *r, u64 block, struct upa_block_memory *m);
void *upa_frame_memory(const struct upa_region *r, u64 frame);
bool upa_frame_in_whole_block(const struct upa_region *r, u64 frame);
void upa_frame_free(struct upa_region *r, u64 frame, struct page *page);
void upa_block_free(struct upa_region *r, u64 frame, struct page *page);

/* state.c: the process's allocators, in shared memory: nothing in them is trusted */
int upa_declare_allocators(struct upa_region *r, const struct upadev_allocators *a);
u64 upa_free_bits(const struct upa_allocator *a, u64 row);
bool upa_is_free(const struct upa_allocator *a, u64 unit);
void upa_tell_bound(struct upa_unused *u, u64 bound);
void upa_mark_absent(struct upa_unused *u, u64 frame, u64 at);
void upa_mark_present(struct upa_unused *u, u64 frame);

/* unused.c: taking what they say is unused */
long upa_unused_for_others(struct upa_region *r, unsigned long pages);
int upa_unused_now(struct upa_region *r, struct upadev_reclaim *request);
int upa_unused_refill(struct upa_region *r, u64 frame, bool block);
u64 upa_held_pages(const struct upa_region *r);
bool upa_hold_more(struct upa_region *r, u64 pages);
int upa_set_bound(struct upa_region *r, struct upadev_bound *request);

/* pressure.c: which regions memory pressure may look at */
int upa_pressure_init(void);
void upa_pressure_exit(void);
struct upa_watch *upa_watch_make(struct upa_region *r);
void upa_watch_free(struct upa_watch *w);
void upa_watch_begin(struct upa_region *r, struct upa_watch *w);
void upa_watch_end(struct upa_region *r);

/* reclaim.c: what it may take */
bool upa_barren(const struct upa_region *r);
unsigned long upa_reclaim_for_others(struct upa_region *r, unsigned long pages,
				     unsigned int *patience);
int upa_refill(struct upa_region *r, u64 frame, bool block);
int upa_reclaim_now(struct upa_region *r, struct upadev_reclaim *request);
u64 upa_gone_pages(const struct upa_region *r);

/* stats.c: debugfs */
void upa_stats_init(void);
void upa_stats_exit(void);
void upa_stats_add(struct upa_region *r);
void upa_stats_remove(struct upa_region *r);

#include "table.h"

/**
 * struct upa_walk - how far a batch has come
 * @batch: what is told of it
 * @pager: whose call it is, or NULL: the owner's
 * @map: install, else empty
 * @flush: something was taken away
 * @budget: pages that may still be looked at under this holding of the locks
 */
struct upa_walk {
	struct upadev_batch *batch;
	struct upa_pager *pager;
	bool map;
	bool flush;
	int budget;
};

/* A page table, or its absence, is needed that only a holder of mmap_lock for writing can make. */
#define UPA_NEEDS_TABLE_CHANGE 1

/* blocks.c: entries of 2 MiB in guarded mode */
int upa_blocks_make(struct upa_region *r);
void upa_blocks_free(struct upa_region *r);
u32 upa_blocks_number(const struct upa_region *r, u64 page);
void upa_blocks_forget(struct upa_region *r);
bool upa_block_named(const struct upa_region *r, u64 page, u64 *block);
bool upa_block_fault(struct upa_region *r, struct vm_fault *vmf, u64 first, u64 *changed);
unsigned long upa_block_fill(struct upa_region *r, const struct upa_table *t, u64 page,
			     unsigned long count, u64 *changed, bool *replaced);
int upa_blocks_walk(struct upa_region *r, struct upa_walk *w, u64 *page, u64 end);
int upa_blocks_change_tables(struct upa_region *r, u64 page, u64 end);
bool upa_blocks_empty_one(struct upa_region *r, u64 page);
bool upa_blocks_expel(struct upa_region *r, pmd_t *pmd, unsigned long address);
bool upa_blocks_harvest(struct upa_region *r, u64 page, bool whole, const struct upadev_harvest *h,
			unsigned int *seen);

/*
 * frame + 1 of a page, 0 for none, or anything out of range, as the shadow table has it at this
 * moment.
 */
static inline u32 upa_number(const struct upa_region *r, u64 page)
{
	return unlikely(r->blocks) ? upa_blocks_number(r, page) : READ_ONCE(r->shadow[page]);
}

/* install.c: entries of single frames */
unsigned long upa_install(struct upa_region *r, const struct upa_table *t, u64 page,
			  unsigned long count, u64 *changed, bool *replaced);

/* guarded.c: shadow table to page tables */
int upa_walk_table(struct upa_region *r, struct upa_walk *w, u64 page, unsigned int count);
vm_fault_t upa_data_fault(struct vm_fault *vmf);
int upa_guarded_batch(struct upa_region *r, struct upa_pager *p, struct upadev_batch *batch,
		      bool map);
int upa_guarded_advise(struct upa_region *r, loff_t offset, loff_t bytes, int advice);

/* Does a number of upa_number() say that the page is away? */
static inline bool upa_is_away(u32 word)
{
	return (word & (UPADEV_SHADOW_AWAY | UPADEV_SHADOW_BLOCK)) == UPADEV_SHADOW_AWAY;
}

/* pager.c: who was admitted, and who waits for him */
vm_fault_t upa_away_fault(struct upa_region *r, struct vm_fault *vmf, u64 page, u32 word);
void upa_away_look(struct upa_region *r);
void upa_away_unmapped(struct upa_region *r);
long upa_admit(struct upa_region *r, const struct upadev_pager __user *user);
long upa_revoke(struct upa_region *r, const struct upadev_pager __user *user);
void upa_pager_forget(struct upa_region *r);

/**
 * struct upa_visit - a pager at work
 * @region: whose region
 * @group: the owner's memory cgroup
 * @before: what was charged before
 */
struct upa_visit {
	struct upa_region *region;
	struct mem_cgroup *group;
	struct mem_cgroup *before;
};

int upa_visit_begin(struct upa_pager *p, struct upa_visit *v);
void upa_visit_end(struct upa_visit *v);
int upa_visit_lock(struct upa_pager *p, struct upa_region *r);
bool upa_is_admitted(const struct upa_pager *p);
void upa_pager_undo(struct upa_pager *p, u64 page, u32 now, u32 before);

/* paging.c: what a pager does */
long upa_paging(struct upa_pager *p, struct upadev_paging __user *user, bool out);

/* device.c: calls of the owner, or of a pager if @p */
long upa_batch_call(struct upa_region *r, struct upa_pager *p, struct upadev_batch __user *user,
		    bool map);
long upa_harvest_call(struct upa_region *r, struct upa_pager *p,
		      struct upadev_harvest __user *user);
void upa_put(struct upa_region *r);

/* harvest.c: accessed and dirty bits */
int upa_harvest(struct upa_region *r, struct upa_pager *p, struct upadev_harvest *harvest);

/* raw.c: page tables shown to the process */
#ifdef CONFIG_MMU_NOTIFIER
int upa_raw_prepare(struct upa_region *r);
int upa_raw_map_tables(struct upa_region *r, struct vm_area_struct *vma);
u64 upa_raw_tables_bytes(const struct upa_region *r);
bool upa_raw_shared_by_others(const struct upa_region *r);
void upa_raw_release(struct upa_region *r);

/* Does a device or a guest use the tables of a raw region? See raw.c. */
static inline bool upa_raw_shared(const struct upa_region *r)
{
	/* The usual case: one region, one notifier. */
	if (likely(!READ_ONCE(r->notifier->next) &&
		   READ_ONCE(r->notifier->pprev) == r->notifier_head))
		return false;
	return upa_raw_shared_by_others(r);
}
#else /* Without it, raw tables could not be unhooked in time: guarded mode only. */
static inline int upa_raw_prepare(struct upa_region *r)
{
	return -EOPNOTSUPP;
}

static inline int upa_raw_map_tables(struct upa_region *r, struct vm_area_struct *vma)
{
	return -EOPNOTSUPP;
}

static inline u64 upa_raw_tables_bytes(const struct upa_region *r)
{
	return 0;
}

static inline bool upa_raw_shared(const struct upa_region *r)
{
	return false;
}

static inline void upa_raw_release(struct upa_region *r)
{
}
#endif

/* vma.c: mappings */
int upa_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long upa_get_unmapped_area(struct file *file, unsigned long address, unsigned long bytes,
				    unsigned long pgoff, unsigned long flags);
struct vm_area_struct *upa_data_vma(struct upa_region *r);

#endif /* UPA_REGION_H */
