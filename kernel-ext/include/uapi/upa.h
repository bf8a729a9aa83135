/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/**
 * DOC: /dev/upa: a process edits the page mappings of a region of its own address space
 *
 * **Lifetime.** An open file of /dev/upa holds at most one region, made by UPADEV_CREATE and bound
 * to the memory map (mm) of the process that made it. The region consists of a pool of page
 * frames, tables, and one mapping of its data. Every mapping holds the file. The frames go back to
 * the kernel when the last descriptor is closed and the last mapping is gone, which exit, exec and
 * any fatal signal bring about. Frame numbers are indices into the pool, 0 .. frames - 1; physical
 * addresses are shown in raw modes only. Frames are zero when they enter a pool and are not
 * cleared again while they stay in it.
 *
 * **Who may do what.** UPADEV_INFO needs no region and UPADEV_CREATE a file that is open for
 * reading and writing (else EACCES). From then on only threads of the creating process may use the
 * file, with exceptions for any process that was given the descriptor: UPADEV_STATS, mapping the
 * shadow table or the state, and UPADEV_RECLAIM and UPADEV_BOUND once UPADEV_ALLOCATORS was called
 * (a manager). All others get EPERM. A pager has a descriptor of its own: see below. A forked child
 * inherits the descriptor but none of the mappings; a touch there is a SIGSEGV. After exec the
 * descriptor, unless closed by O_CLOEXEC, keeps the frames but can do nothing with them.
 *
 * **Mappings** are made with mmap(MAP_SHARED) of the whole length that UPADEV_CREATE returned, at
 * offset UPADEV_MAP_*:
 *
 * ========  ======================================================================================
 * data      PROT_READ | PROT_WRITE exactly, address aligned to 2 MiB (raw PMD: 1 GiB); one at a
 *           time (else EBUSY), in raw modes one in the region's life
 * shadow    guarded only: one __u32 per page of the region, frame + 1, or 0 for none
 * state     `state_bytes` of zeroed shared memory for the allocator; the module looks into it only
 *           after UPADEV_ALLOCATORS
 * entries   raw only, PROT_READ: one __u64 per frame, the hardware entry that maps it (raw PMD: per
 *           512 frames)
 * tables    raw only, after data: the page tables themselves, one __u64 per page (raw PMD: per
 *           2 MiB)
 * ========  ======================================================================================
 *
 * They can be unmapped only whole (a part: EINVAL), are not moved (EBUSY: data; EINVAL), shrunk
 * (EINVAL) or grown (EFAULT) by mremap(), cannot be changed by mprotect() (EACCES), and are not
 * copied by fork(); shadow and state are, after MADV_DOFORK. MADV_DONTNEED of shadow and state
 * drops the mapping of pages, which a touch brings back with their contents; of the data it fails.
 * Direct I/O, process_vm_readv() and ptrace() do not reach the data (no struct page stands behind
 * it): EFAULT or EIO.
 *
 * **Guarded mode.** The process writes shadow entries with plain 32-bit stores; the kernel reads
 * each entry once, checks it, and keeps the true tables. A touch of a page whose entry is valid
 * installs the whole 2 MiB table around it, where nothing is installed yet; a touch of one that is
 * 0 or out of range is a SIGBUS. A frame may stand at several pages at once. To take a mapping
 * away: store 0, then UPADEV_UNMAP; after it returned no thread can reach the frame there. To
 * change one: store the new entry, then UPADEV_MAP. Without the call, an installed mapping stays as
 * it is. Devices and guests that share the address space (IOMMU, KVM) are told of what is taken
 * away.
 *
 * **Entries of 2 MiB** (UPADEV_CREATE_BLOCKS). Pages 512 n .. 512 n + 511 are a block of pages,
 * frames likewise. If the shadow entry of the first page of a block has UPADEV_SHADOW_BLOCK set,
 * the rest of it is the number of a block of frames, and the block of pages shows these frames in
 * their order; the other 511 shadow entries are then not read. The kernel maps it by one entry of
 * 2 MiB, where all 512 frames have memory that lies together, and by 512 of 4 KiB otherwise. Before
 * the mark is taken out of the first entry, the other entries must say what is to be there. A block
 * is installed and taken away as a whole: UPADEV_UNMAP of a part takes all of it away, as does
 * UPADEV_MAP if the block of pages is one no more; what the shadow table still says comes back when
 * it is touched. The same block may stand at several blocks of pages, and its frames at others.
 *
 * **A pager** (guarded mode). UPADEV_ADMIT returns a descriptor. Who has it may act on the region
 * as the owner could, by the calls named at struct upadev_paging, and no further; the owner hands
 * it to another process and closes its own. It holds neither frames nor the region. A shadow entry
 * with UPADEV_SHADOW_AWAY says that the page is away; its other 30 bits are the pager's, who may
 * keep the place of the page there. A thread that touches such a page sleeps until the entry has
 * changed and UPADEV_PAGE_IN, UPADEV_MAP or UPADEV_UNMAP (of any pages) has returned since, by
 * whomever. It can be killed; a signal handler runs meanwhile, if the touch was not inside a system
 * call. read() of the descriptor tells of such touches, oldest first, as struct upadev_fault; it
 * waits for one, unless O_NONBLOCK is set, and poll() waits for several descriptors. Once the
 * region has ended, or the pager is revoked, read() returns 0, poll() says POLLHUP, and calls are
 * ESHUTDOWN.
 *
 * A pager is lost when the last copy of its descriptor is closed, as at the end of its process, or
 * when UPADEV_REVOKE was called. What becomes of touches then, those that are waiting included, is
 * the owner's choice: with UPADEV_PAGER_WAIT they wait for another pager, to whom all of them are
 * told; else they are SIGBUS until another is admitted. Where none ever was, and where the kernel
 * asks for a page without waiting, a page that is away is a SIGBUS.
 *
 * **Raw modes.** The process stores hardware entries: those of the entries table, or 0. Absent to
 * present needs no call. After present to absent or present to other: fsync() of the file, and only
 * then may the frame be used again. It returns after no thread can reach what its entries no longer
 * say, with UPADEV_DONE: other files say 0, should the number of a closed descriptor have become
 * theirs. Errors are EPERM and ENXIO, as below, and EOPNOTSUPP where a device or a guest shares the
 * address space, which nobody could tell; UPADEV_CREATE then fails so as well. msync() and
 * fdatasync() do the same and return 0. Raw modes give the process all physical memory, hence the
 * module parameter raw=1 and CAP_SYS_RAWIO.
 *
 * **Memory.** Frames and tables count against the locked-memory limit (RLIMIT_MEMLOCK) of the user
 * who made the region, for as long as it exists, unless he has CAP_IPC_LOCK, and are charged to the
 * memory cgroup. A pool for which the machine has no memory is ENOMEM, never a reason to kill
 * anybody.
 *
 * **Locking.** All calls may be used by any number of threads at once; each has taken effect when
 * it returns. Calls that overlap on a page take effect in some order. A call that was ended by a
 * fatal signal has done a part of its work. No call waits for user memory under a lock, and every
 * wait for another call can be ended by a fatal signal.
 *
 * **Errors** common to all: EINVAL (size, range, flag, alignment, or reserved field not 0), EFAULT
 * (bad pointer), EPERM (another process), ENXIO (no region yet, or its data is not mapped), EINTR
 * (fatal signal), ENOTTY (no such call).
 */
#ifndef _UAPI_UPA_H
#define _UAPI_UPA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define UPADEV_ABI_VERSION 4

#define UPADEV_PAGE_BYTES 4096ULL
#define UPADEV_BLOCK_PAGES 512ULL     /* pages in 2 MiB: unit of regions and pools */
#define UPADEV_MAX_PAGES (1ULL << 28) /* 1 TiB */
#define UPADEV_DONE 1                 /* what fsync() and fadvise64() return */
#define UPADEV_MAX_RANGES 4096U
#define UPADEV_MAX_STATE_BYTES (1ULL << 30)

/* Offsets for mmap(). */
#define UPADEV_MAP_DATA (0ULL << 40)
#define UPADEV_MAP_SHADOW (1ULL << 40)
#define UPADEV_MAP_STATE (2ULL << 40)
#define UPADEV_MAP_ENTRIES (3ULL << 40)
#define UPADEV_MAP_TABLES (4ULL << 40)

/**
 * enum upadev_mode - who writes the page tables
 * @UPADEV_GUARDED: the kernel, from the shadow table
 * @UPADEV_RAW_PTE: the process, entries of 4 KiB
 * @UPADEV_RAW_PMD: the process, entries of 2 MiB
 */
enum upadev_mode {
	UPADEV_GUARDED = 0,
	UPADEV_RAW_PTE = 1,
	UPADEV_RAW_PMD = 2,
};

/**
 * struct upadev_info - UPADEV_INFO: what this module can do; needs no region
 * @version: out: UPADEV_ABI_VERSION
 * @modes: out: bit n set: enum upadev_mode n may be created by this process
 * @reserved: out: 0
 */
struct upadev_info {
	__u32 version;
	__u32 modes;
	__u64 reserved[3];
};

/*
 * Install mappings neither accessed nor dirty, so that the first UPADEV_HARVEST already tells
 * touched pages.
 */
#define UPADEV_CREATE_TRACK (1U << 0)
/*
 * Frames whose numbers stand nowhere in the shadow table hold nothing worth keeping: under memory
 * pressure the kernel may take them, 512 aligned ones at a time. The numbers stay valid, and
 * charged to the locked-memory limit; a touch of a page where one is stored gets zeros, or SIGBUS
 * if no memory is left. Guarded only, and not with UPADEV_CREATE_TRACK (else EINVAL). A number that
 * goes from one entry to another must be stored in the new one first, and not be moved again before
 * an UPADEV_UNMAP (of any pages) that began after it was cleared in the old one has returned.
 */
#define UPADEV_CREATE_RECLAIM (1U << 1)
/*
 * Shadow entries may name blocks of 512 frames (UPADEV_SHADOW_BLOCK); elsewhere such an entry is
 * out of range. Guarded only, and not with UPADEV_CREATE_RECLAIM (else EINVAL). EOPNOTSUPP: the
 * kernel or the processor knows no entries of 2 MiB.
 */
#define UPADEV_CREATE_BLOCKS (1U << 2)

/* In the shadow entry of a page 512 n: the rest is the number of a block, its first frame / 512. */
#define UPADEV_SHADOW_BLOCK (1U << 31)
/* In any other shadow entry: the page is away. The rest is the pager's. */
#define UPADEV_SHADOW_AWAY (1U << 30)

/**
 * struct upadev_create - UPADEV_CREATE: create the region
 * @version: in: UPADEV_ABI_VERSION
 * @mode: in: enum upadev_mode
 * @flags: in: UPADEV_CREATE_*
 * @pad: in: 0
 * @pages: in: 512 .. UPADEV_MAX_PAGES, a multiple of 512; raw PMD: of 262144
 * @frames: in: size of the pool, 0 .. max_frames, a multiple of 512
 * @max_frames: in: size up to which it may grow, 512 .. UPADEV_MAX_PAGES, a multiple of 512
 * @state_bytes: in: 0 .. UPADEV_MAX_STATE_BYTES, a multiple of 4096
 * @data_bytes: out: lengths to mmap; 0: no such mapping in this mode
 * @shadow_bytes: out
 * @entries_bytes: out
 * @tables_bytes: out
 * @reserved: in: 0
 *
 * The lengths are written before the region is made; with EFAULT there is none. Errors: EBUSY (the
 * file has a region), ENOMEM (memory, or limit), EACCES (not open for reading and writing), EPERM
 * (raw mode without raw=1 or CAP_SYS_RAWIO, or under lockdown), EOPNOTSUPP (raw mode, see above).
 */
struct upadev_create {
	__u32 version;
	__u32 mode;
	__u32 flags;
	__u32 pad;
	__u64 pages;
	__u64 frames;
	__u64 max_frames;
	__u64 state_bytes;
	__u64 data_bytes;
	__u64 shadow_bytes;
	__u64 entries_bytes;
	__u64 tables_bytes;
	__u64 reserved[4];
};

/**
 * struct upadev_range - pages that lie together
 * @page: the first, relative to the region
 * @count: at least 1; page + count at most the pages of the region
 */
struct upadev_range {
	__u64 page;
	__u64 count;
};

/* UPADEV_UNMAP: a shoot-down for each range instead of one for the whole call (for comparison). */
#define UPADEV_BATCH_PER_RANGE (1U << 0)

/**
 * struct upadev_batch - UPADEV_MAP and UPADEV_UNMAP: make the true tables follow, or empty them
 * @ranges: in: address of struct upadev_range[count]
 * @count: in: 1 .. UPADEV_MAX_RANGES
 * @flags: in: UPADEV_BATCH_*, UPADEV_UNMAP only
 * @changed: out: pages whose mapping changed; UPADEV_MAP: also those whose frame has no memory at
 *	the moment, which a touch brings
 * @stopped_at: out: page that stopped UPADEV_MAP, or ~0
 * @reserved: in: 0
 *
 * Guarded only (else EOPNOTSUPP). UPADEV_MAP makes the true tables equal to the shadow table in the
 * ranges, except that entries of 0 are passed over; at an entry out of range it stops with EINVAL,
 * `stopped_at` being that page. UPADEV_UNMAP empties the true tables in the ranges. Both flush the
 * TLBs at most once, if anything was taken away. All ranges are checked before anything is done.
 * The out fields are written also when the call fails with EINVAL or EINTR after that check.
 * ENOMEM: no memory for a page table, or for the copy of many ranges. UPADEV_BATCH_PER_RANGE in a
 * region made with UPADEV_CREATE_BLOCKS is EINVAL.
 *
 * One range is cheaper by posix_fadvise() of the file, at offset and length in bytes of the data,
 * multiples of 4096 and inside: POSIX_FADV_WILLNEED does what UPADEV_MAP does, POSIX_FADV_DONTNEED
 * what UPADEV_UNMAP does, with their errors; other advice is EINVAL. The system call, of which
 * libc's function hides it, returns UPADEV_DONE.
 */
struct upadev_batch {
	__u64 ranges;
	__u32 count;
	__u32 flags;
	__u64 changed;
	__u64 stopped_at;
	__u64 reserved[2];
};

#define UPADEV_HARVEST_CLEAR_ACCESSED (1U << 0)
#define UPADEV_HARVEST_CLEAR_DIRTY (1U << 1)
/*
 * Also flush the TLBs after clearing accessed bits. Otherwise a page whose translation stays cached
 * may look idle.
 */
#define UPADEV_HARVEST_FLUSH (1U << 2)

/**
 * struct upadev_harvest - UPADEV_HARVEST: read, and clear if asked, accessed and dirty bits
 * @page: in: first page
 * @count: in: pages
 * @accessed: in: address of __u64[(count + 63) / 64], or 0
 * @dirty: in: the same
 * @flags: in: UPADEV_HARVEST_*
 * @pad: in: 0
 * @accessed_pages: out: number of bits set
 * @dirty_pages: out
 * @reserved: in: 0
 *
 * Guarded only (else EOPNOTSUPP). Bit i of the bit maps is page first page + i; unused bits of the
 * last word are 0; pages not installed read 0. Cleared dirty bits are always flushed. With EFAULT
 * or EINTR the bits of up to 32768 pages may be lost. ENOMEM: no memory for the bit maps.
 *
 * Of an entry of 2 MiB there is one bit of each kind: it counts for all 512 pages, and is cleared
 * only by a call whose range covers them. If the entry was taken away as part of another call, the
 * bits are kept and told by the next harvest.
 */
struct upadev_harvest {
	__u64 page;
	__u64 count;
	__u64 accessed;
	__u64 dirty;
	__u32 flags;
	__u32 pad;
	__u64 accessed_pages;
	__u64 dirty_pages;
	__u64 reserved[2];
};

/**
 * struct upadev_resize - UPADEV_RESIZE: grow or shrink the pool
 * @frames: in: new size, 0 .. max_frames, a multiple of 512
 * @reserved: in: 0
 *
 * Frames enter and leave at the upper end. Before frames leave, all mappings are emptied; those of
 * the frames that stay come back when touched. Shrinking is for guarded mode only (else
 * EOPNOTSUPP). Errors: ENOMEM, EINTR (the pool then keeps its size).
 */
struct upadev_resize {
	__u64 frames;
	__u64 reserved[3];
};

/**
 * struct upadev_reclaim - UPADEV_RECLAIM: do at once what memory pressure would
 * @pages: in: at most about so many: rounded up to 512, or less than 64 more of frames and of pages
 *	each that allocators say are unused; 0: only tell `gone`
 * @reclaimed: out: given back to the kernel by this call
 * @gone: out: pages of the pool without memory now
 * @reserved: in: 0
 *
 * Only with UPADEV_CREATE_RECLAIM, or after UPADEV_ALLOCATORS (else EOPNOTSUPP). After
 * UPADEV_ALLOCATORS any process that has the descriptor may make this call: a manager.
 */
struct upadev_reclaim {
	__u64 pages;
	__u64 reclaimed;
	__u64 gone;
	__u64 reserved;
};

#define UPADEV_NO_BOUND (~0ULL)

/**
 * struct upadev_bound - UPADEV_BOUND: how many frames may have memory at a time
 * @pages: in: at most so many; UPADEV_NO_BOUND: any number, as at first
 * @held: out: frames that have memory now
 * @reserved: in: 0
 *
 * Only after UPADEV_ALLOCATORS (else EOPNOTSUPP); then by any process that has the descriptor: a
 * manager. The last one to call decides. At once so much of what is unused goes back to the kernel
 * that the bound is kept, or all of it. What is in use stays, so that `held` may be more; the call
 * may be repeated later. As long as there is a bound, a frame gets memory only if it is kept
 * thereby, if need be after unused ones have lost theirs. Otherwise a touch waits for what others
 * free; it is a SIGBUS once for two seconds no touch had any memory. A page that a pager brings is
 * EDQUOT at once, and a pool that would grow beyond the bound ENOMEM. So who allocates pages looks
 * at the bound, which stands before the marks (struct upadev_allocators), and leaves the rest
 * alone. With EINTR the bound is set.
 */
struct upadev_bound {
	__u64 pages;
	__u64 held;
	__u64 reserved[2];
};

/**
 * struct upadev_stats - UPADEV_STATS: counts since the region was made
 * @pages: of the region
 * @frames: of the pool
 * @max_frames: up to which it may grow
 * @mode: enum upadev_mode
 * @pad: 0
 * @faults: touches of pages not installed that found a valid entry
 * @fault_pages: pages installed by them
 * @bad_faults: touches answered by SIGBUS
 * @map_calls: UPADEV_MAP, also by posix_fadvise()
 * @map_pages: pages whose mapping they changed
 * @unmap_calls: UPADEV_UNMAP, also by posix_fadvise()
 * @unmap_pages: pages whose mapping they took away
 * @shootdowns: TLB flushes done
 * @shared_shootdowns: flushes saved because one that began later served several calls
 * @charged_pages: pages charged to the locked-memory limit
 * @reclaimed_pages: taken by the kernel under memory pressure, or by UPADEV_RECLAIM
 * @block_entries: entries of 2 MiB that were installed; their pages are in fault_pages or map_pages
 * @away_faults: touches of pages that were away, for which a thread has waited
 * @paged_in: pages that a pager has brought
 * @paged_out: pages that a pager has taken away
 * @held: frames that have memory now
 * @bound: of that number, see struct upadev_bound
 * @reserved: 0
 */
struct upadev_stats {
	__u64 pages;
	__u64 frames;
	__u64 max_frames;
	__u32 mode;
	__u32 pad;
	__u64 faults;
	__u64 fault_pages;
	__u64 bad_faults;
	__u64 map_calls;
	__u64 map_pages;
	__u64 unmap_calls;
	__u64 unmap_pages;
	__u64 shootdowns;
	__u64 shared_shootdowns;
	__u64 charged_pages;
	__u64 reclaimed_pages;
	__u64 block_entries;
	__u64 away_faults;
	__u64 paged_in;
	__u64 paged_out;
	__u64 held;
	__u64 bound;
	__u64 reserved[1];
};

/* Bits of an allocator's words; see struct upadev_allocator. */
#define UPADEV_CHILD_POLARITY (1U << 10)
#define UPADEV_NODE_POLARITY (1U << 16)
#define UPADEV_TREE_OPEN (1U << 18)

/**
 * struct upadev_allocator - where in the state an allocator keeps its words
 * @units: in: pages or frames that it manages, 512 to a child, 16 children to a tree, 16 trees to a
 *	group; the last of each may be incomplete
 * @group_offset: in: of a __u32 for each group, in bytes from the start of the state, a multiple of
 *	4
 * @tree_offset: in: of a __u32 for each tree, likewise
 * @child_offset: in: of a __u32 for each child, likewise
 * @bitmap_offset: in: of 16 __u64 for each child, a multiple of 8: 8 of allocation bits, one for
 *	each unit, and 8 that the module does not read
 *
 * Unit i of a child is free if its allocation bit is equal to this: UPADEV_CHILD_POLARITY of the
 * child's word, inverted if UPADEV_NODE_POLARITY of the tree's word is set, inverted (again) if
 * UPADEV_TREE_OPEN of the tree's word is not set and UPADEV_NODE_POLARITY of the group's word is. A
 * bit of a word above changes its meaning for the units below only at an instant at which all of
 * them are free just before, or just after. This is the layout of LLFree as upa/llfree.h has it.
 */
struct upadev_allocator {
	__u64 units;
	__u64 group_offset;
	__u64 tree_offset;
	__u64 child_offset;
	__u64 bitmap_offset;
};

/**
 * struct upadev_allocators - UPADEV_ALLOCATORS: what is unused, the state says
 * @pages: in: of the pages, from page 0 on
 * @frames: in: of the frames; `units` is max_frames
 * @marks_offset: in: of the marks, in bytes from the start of the state, a multiple of 8
 * @reserved: in: 0
 *
 * Declares the allocators, once in a region's life. From then on the kernel takes unused memory
 * under pressure, and by UPADEV_RECLAIM, without any call by the process: of frames that are free
 * in `frames`, and of frames that stand at pages free in `pages`; single ones, too. A page in use
 * keeps its frame, its contents, and its accessed and dirty bits. The numbers stay valid, and
 * charged. A touch of a page whose frame was taken gets a zeroed one, as the first touch of
 * anonymous memory does, and like that may be what calls the OOM killer. The exception: an owner
 * with UPADEV_UNMAP or mmap() always under way keeps its contents, but its mappings may be emptied,
 * which touches bring back; with UPADEV_CREATE_TRACK nothing is taken then.
 *
 * The module only reads the words of the allocators, and trusts nothing in them: an owner whose
 * words are wrong loses contents of its own, and nobody else anything. A page of which the frame
 * has been moved elsewhere must not be free before an UPADEV_UNMAP (of any pages) that began after
 * the move has returned.
 *
 * What was taken is told by marks, so that the process can prefer what is still there. They are
 * __u64 words, one behind the other:
 *
 * ========  ======================================================================================
 * taken     1 word: number of frames taken so far, written after the marks that belong to it
 * bound     1 word: how many frames may have memory, see struct upadev_bound. The module writes it,
 *           before it gives anything back for its sake
 * pages     bit c: in child c of the pages is a free page whose frame was taken;
 *           (children + 63) / 64 words. The module sets bits, the process clears them
 * frames    the same of free frames; as many for these
 * absent    bit f: frame f has no memory, max_frames / 64 words. The module alone writes them. A
 *           bit is set after nothing can reach the frame, and cleared before anything can
 * ========  ======================================================================================
 *
 * Guarded only (else EOPNOTSUPP). Errors: EINVAL (also: `pages.units` not 1 .. pages of the region,
 * `frames.units` not max_frames, an offset misaligned, words that do not lie in the state), EBUSY
 * (declared before, or made with UPADEV_CREATE_RECLAIM), ENOMEM.
 */
struct upadev_allocators {
	struct upadev_allocator pages;
	struct upadev_allocator frames;
	__u64 marks_offset;
	__u64 reserved[5];
};

/* Who touches a page that is away waits while there is no pager; else SIGBUS. */
#define UPADEV_PAGER_WAIT (1U << 0)

/**
 * struct upadev_pager - UPADEV_ADMIT and UPADEV_REVOKE: a pager comes, or goes
 * @flags: in: UPADEV_PAGER_WAIT, or 0: what becomes of touches without a pager
 * @pad: in: 0
 * @reserved: in: 0
 *
 * UPADEV_ADMIT returns a descriptor, with O_CLOEXEC. Errors: EBUSY (there is a pager), EOPNOTSUPP
 * (raw mode, or made with UPADEV_CREATE_RECLAIM, which takes frames that stand nowhere), ENOMEM,
 * EMFILE, ENFILE. After UPADEV_REVOKE has returned, the pager has no effect any more; with EINTR, a
 * call of his that was under way may still have one. It may be called without a pager, to change
 * what becomes of touches; where none ever was, it is ENOENT.
 */
struct upadev_pager {
	__u32 flags;
	__u32 pad;
	__u64 reserved[3];
};

/* The touch was a store. */
#define UPADEV_FAULT_WRITE (1U << 0)

/**
 * struct upadev_fault - what read() of a pager's descriptor tells: a thread waits
 * @page: for this page
 * @word: its shadow entry when it was touched
 * @flags: UPADEV_FAULT_*
 *
 * A touch is told once to a pager, but again after a signal handler has run. Several threads may
 * wait for the same page. A thread may have been killed, or the page be back, when this is read.
 */
struct upadev_fault {
	__u64 page;
	__u32 word;
	__u32 flags;
};

/* UPADEV_PAGE_OUT: whichever frame stands there. */
#define UPADEV_ANY_FRAME (~0U)

/*
 * UPADEV_PAGE_OUT: the page was not written since its dirty bit was last cleared, or, with
 * UPADEV_CREATE_TRACK, since it was installed. Not said unless it is known.
 */
#define UPADEV_TRANSFER_CLEAN (1U << 0)

/**
 * struct upadev_transfer - a page that comes or goes
 * @page: in: which, relative to the region
 * @buffer: in: address of 4096 bytes for its contents, or 0: the frame keeps them, and nothing is
 *	copied
 * @away: in: its shadow entry while it is away, with UPADEV_SHADOW_AWAY
 * @frame: in: number of the frame; UPADEV_PAGE_OUT: out, if it was UPADEV_ANY_FRAME
 * @result: out: 0, or a negative error: EINVAL (page, frame or @away out of range, @flags not 0),
 *	EAGAIN (the shadow entry is another, or the page is part of a block: nothing has happened),
 *	EFAULT (@buffer: nothing has happened), ENOMEM, EDQUOT (no memory for a frame that had none,
 *	or none within the bound)
 * @flags: in: 0; out: UPADEV_TRANSFER_*
 */
struct upadev_transfer {
	__u64 page;
	__u64 buffer;
	__u32 away;
	__u32 frame;
	__s32 result;
	__u32 flags;
};

/**
 * struct upadev_paging - UPADEV_PAGE_IN and UPADEV_PAGE_OUT: pages come and go, by a pager
 * @transfers: in: address of struct upadev_transfer[count]
 * @count: in: 1 .. UPADEV_MAX_RANGES
 * @flags: in: 0
 * @done: out: how many had the result 0; also when the call fails
 * @reserved: in: 0
 *
 * Calls of the descriptor that UPADEV_ADMIT returned; UPADEV_MAP, UPADEV_UNMAP and UPADEV_HARVEST,
 * which do what they do for the owner, are the others.
 *
 * UPADEV_PAGE_IN copies the contents into the frame, then stores frame + 1 as the shadow entry, in
 * one step and only if it is `away`, then has threads that wait for the page touch it again. Which
 * frames are unused is for owner and pager to know: a frame that stands elsewhere gets the contents
 * there too.
 *
 * UPADEV_PAGE_OUT stores `away` as the shadow entry, only if that names `frame`, takes the mapping
 * of the page away, flushes the TLBs once for up to 16 pages, then copies the contents: what the
 * owner had written before is in it. The frame is then the pager's, with the same contents, until
 * one of the two uses it again: so a page whose `away` names the frame, say, and which was not
 * copied, can be brought back at once, and by a second pager if the first one dies. A frame that
 * stands at several pages stays reachable at the others. If the contents or the results cannot be
 * written, the shadow entry is put back, unless the pager was revoked meanwhile.
 *
 * Each transfer succeeds or fails by itself.
 *
 * Errors: ESHUTDOWN (revoked, or the region has ended), ESRCH (the owner has ended), ENXIO (the
 * data is not mapped), ENOMEM, EINTR; those of which `result` was not written have not been tried,
 * or, with EFAULT, up to 16 may have come, but none has gone. ENOTTY: no call of a pager. What a
 * pager allocates for the region is charged to the owner's memory cgroup.
 */
struct upadev_paging {
	__u64 transfers;
	__u32 count;
	__u32 flags;
	__u64 done;
	__u64 reserved[2];
};

#define UPADEV_INFO _IOR('U', 0x80, struct upadev_info)
#define UPADEV_CREATE _IOWR('U', 0x81, struct upadev_create)
#define UPADEV_MAP _IOWR('U', 0x82, struct upadev_batch)
#define UPADEV_UNMAP _IOWR('U', 0x83, struct upadev_batch)
#define UPADEV_HARVEST _IOWR('U', 0x85, struct upadev_harvest)
#define UPADEV_RESIZE _IOW('U', 0x86, struct upadev_resize)
#define UPADEV_STATS _IOR('U', 0x87, struct upadev_stats)
#define UPADEV_RECLAIM _IOWR('U', 0x88, struct upadev_reclaim)
#define UPADEV_ALLOCATORS _IOW('U', 0x89, struct upadev_allocators)
#define UPADEV_ADMIT _IOW('U', 0x8a, struct upadev_pager)
#define UPADEV_REVOKE _IOW('U', 0x8b, struct upadev_pager)
#define UPADEV_PAGE_IN _IOWR('U', 0x8c, struct upadev_paging)
#define UPADEV_PAGE_OUT _IOWR('U', 0x8d, struct upadev_paging)
#define UPADEV_BOUND _IOWR('U', 0x8e, struct upadev_bound)

#endif /* _UAPI_UPA_H */
