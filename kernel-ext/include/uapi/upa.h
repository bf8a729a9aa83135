/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/upa: a process edits the page mappings of a region of its own address space.
 *
 * Lifetime. An open file of /dev/upa holds at most one region, made by UPADEV_CREATE and
 * bound to the memory map (mm) of the process that made it. The region consists of a pool of
 * page frames, tables, and one mapping of its data. Every mapping holds the file. The frames
 * go back to the kernel when the last descriptor is closed and the last mapping is gone, which
 * exit, exec and any fatal signal bring about. Frame numbers are indices into the pool, 0 ..
 * frames-1; physical addresses are shown in raw modes only. Frames are zero when they enter a
 * pool and are not cleared again while they stay in it.
 *
 * Who may do what. After UPADEV_CREATE only threads of the creating process may use the file,
 * with two exceptions: UPADEV_STATS, and mapping the shadow table or the state, which any
 * process may do that was given the descriptor (a pager). All others get -EPERM. A forked
 * child inherits the descriptor but none of the mappings; a touch there is a SIGSEGV. After
 * exec the descriptor, unless closed by O_CLOEXEC, keeps the frames but can do nothing with
 * them.
 *
 * Mappings are made with mmap(MAP_SHARED) of the whole length that UPADEV_CREATE returned, at
 * offset UPADEV_MAP_*:
 *   data     PROT_READ | PROT_WRITE exactly, address aligned to 2 MiB (raw PMD: 1 GiB).
 *   shadow   guarded only: one __u32 per page of the region, frame + 1, or 0 for none.
 *   state    `state_bytes` of zeroed shared memory for the allocator; the module never looks into it.
 *   entries  raw only, PROT_READ: one __u64 per frame, the hardware entry that maps it (raw PMD: per 512 frames).
 *   tables   raw only, after data: the page tables themselves, one __u64 per page (raw PMD: per 2 MiB).
 * They can be unmapped only whole (a part: -EINVAL), cannot be moved or grown by mremap
 * (-EINVAL, -EFAULT), cannot be changed by mprotect (-EACCES), and are not copied by fork. In
 * raw modes data can be mapped only once in a region's life. Direct I/O, process_vm_readv and
 * ptrace do not reach the data (no struct page stands behind it): EFAULT or EIO.
 *
 * Guarded mode. The process writes shadow entries with plain 32-bit stores; the kernel reads
 * each entry once, checks it, and keeps the true tables. A touch of a page whose entry is
 * valid installs the whole 2 MiB table around it, where nothing is installed yet; a touch of
 * one that is 0 or out of range is a SIGBUS. A frame may stand at several pages at once. To
 * take a mapping away: store 0, then UPADEV_UNMAP; after it returned no thread can reach the
 * frame there. To change one: store the new entry, then UPADEV_MAP. Without the call, an
 * installed mapping stays as it is.
 *
 * Raw modes. The process stores hardware entries: those of the entries table, or 0. Absent to
 * present needs no call. After present to absent or present to other: fsync() of the file, and
 * only then may the frame be used again. It returns after no thread can reach what its entries
 * no longer say, with UPADEV_DONE: other files say 0, should the number of a closed descriptor
 * have become theirs. Errors are EPERM and ENXIO, as below. Raw modes give the process all physical memory, hence the
 * module parameter raw=1 and CAP_SYS_RAWIO.
 *
 * Locking. All calls may be used by any number of threads at once; each has taken effect when
 * it returns. Calls that overlap on a page take effect in some order. A call that was ended by
 * a fatal signal has done a part of its work.
 *
 * Errors common to all: EINVAL (size, range, flag, alignment, or reserved field not 0), EFAULT
 * (bad pointer), EPERM (another process), ENXIO (no region yet, or its data is not mapped),
 * EINTR (fatal signal), ENOTTY (no such call).
 */
#ifndef _UAPI_UPA_H
#define _UAPI_UPA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define UPADEV_ABI_VERSION		2

#define UPADEV_PAGE_BYTES		4096ULL
#define UPADEV_BLOCK_PAGES		512ULL			/* pages in 2 MiB: unit of regions and pools */
#define UPADEV_MAX_PAGES		(1ULL << 28)		/* 1 TiB */
#define UPADEV_DONE		1	/* what fsync() and fadvise64() return */
#define UPADEV_MAX_RANGES		4096U
#define UPADEV_MAX_STATE_BYTES	(1ULL << 30)

/* Offsets for mmap(). */
#define UPADEV_MAP_DATA		(0ULL << 40)
#define UPADEV_MAP_SHADOW		(1ULL << 40)
#define UPADEV_MAP_STATE		(2ULL << 40)
#define UPADEV_MAP_ENTRIES		(3ULL << 40)
#define UPADEV_MAP_TABLES		(4ULL << 40)

enum upadev_mode {
	UPADEV_GUARDED = 0,
	UPADEV_RAW_PTE = 1,
	UPADEV_RAW_PMD = 2,
};

/* What this module can do. Needs no region. */
struct upadev_info {
	__u32 version;		/* out: UPADEV_ABI_VERSION */
	__u32 modes;		/* out: bit n set: enum upadev_mode n may be created by this process */
	__u64 reserved[3];	/* out: 0 */
};

/* Install mappings neither accessed nor dirty, so that the first UPADEV_HARVEST already tells touched pages. */
#define UPADEV_CREATE_TRACK	(1U << 0)
/*
 * Frames whose numbers stand nowhere in the shadow table hold nothing worth keeping: under memory pressure the kernel may take
 * them, 512 aligned ones at a time. The numbers stay valid, and charged to the locked-memory limit; a touch of a page
 * where one is stored gets zeros, or SIGBUS if no memory is left. Guarded only, and not with UPADEV_CREATE_TRACK (else EINVAL).
 * A number that goes from one entry to another must be stored in the new one first, and not be moved again before an
 * UPADEV_UNMAP (of any pages) that began after it was cleared in the old one has returned.
 */
#define UPADEV_CREATE_RECLAIM	(1U << 1)

/*
 * Create the region. Charged to the locked-memory limit (RLIMIT_MEMLOCK) are frames and
 * tables; to the memory cgroup, frames. Errors: EBUSY (file has a region), ENOMEM (memory, or
 * limit), EPERM (raw mode without raw=1, CAP_SYS_RAWIO, or under lockdown).
 */
struct upadev_create {
	__u32 version;		/* in: UPADEV_ABI_VERSION */
	__u32 mode;		/* in: enum upadev_mode */
	__u32 flags;		/* in: UPADEV_CREATE_* */
	__u32 pad;		/* in: 0 */
	__u64 pages;		/* in: 512 .. UPADEV_MAX_PAGES, a multiple of 512; raw PMD: of 262144 */
	__u64 frames;		/* in: size of the pool, 0 .. max_frames, a multiple of 512 */
	__u64 max_frames;	/* in: size up to which it may grow, 512 .. UPADEV_MAX_PAGES, a multiple of 512 */
	__u64 state_bytes;	/* in: 0 .. UPADEV_MAX_STATE_BYTES, a multiple of 4096 */
	__u64 data_bytes;	/* out: lengths to mmap; 0: no such mapping in this mode */
	__u64 shadow_bytes;	/* out */
	__u64 entries_bytes;	/* out */
	__u64 tables_bytes;	/* out */
	__u64 reserved[4];	/* in: 0 */
};

struct upadev_range {
	__u64 page;		/* first page, relative to the region */
	__u64 count;		/* at least 1; page + count at most the pages of the region */
};

/* UPADEV_UNMAP: one shoot-down for each range instead of one for the whole call (for comparison). */
#define UPADEV_BATCH_PER_RANGE	(1U << 0)

/*
 * Guarded only (else EOPNOTSUPP). UPADEV_MAP makes the true tables equal to the shadow table
 * in the ranges, except that entries of 0 are passed over; at an entry out of range it stops
 * with EINVAL, `stopped_at` being that page. UPADEV_UNMAP empties the true tables in the
 * ranges. Both flush the TLBs at most once, if anything was taken away. All ranges are checked
 * before anything is done. The out fields are written also when the call fails with EINVAL or
 * EINTR after that check.
 *
 * One range is cheaper by posix_fadvise() of the file, at offset and length in bytes of the
 * data, multiples of 4096 and inside: POSIX_FADV_WILLNEED does what UPADEV_MAP does,
 * POSIX_FADV_DONTNEED what UPADEV_UNMAP does, with their errors; other advice is EINVAL. The
 * system call, of which libc's function hides it, returns UPADEV_DONE.
 */
struct upadev_batch {
	__u64 ranges;		/* in: address of struct upadev_range[count] */
	__u32 count;		/* in: 1 .. UPADEV_MAX_RANGES */
	__u32 flags;		/* in: UPADEV_BATCH_* */
	__u64 changed;		/* out: pages whose mapping changed */
	__u64 stopped_at;	/* out: page that stopped UPADEV_MAP, or ~0 */
	__u64 reserved[2];	/* in: 0 */
};

#define UPADEV_HARVEST_CLEAR_ACCESSED	(1U << 0)
#define UPADEV_HARVEST_CLEAR_DIRTY		(1U << 1)
/* Also flush the TLBs after clearing accessed bits. Otherwise a page whose translation stays cached may look idle. */
#define UPADEV_HARVEST_FLUSH		(1U << 2)

/*
 * Read, and clear if asked, the accessed and dirty bits. Guarded only (else EOPNOTSUPP). Bit i
 * of the bit maps is page first page + i; unused bits of the last word are 0; pages not
 * installed read 0. Cleared dirty bits are always flushed. With EFAULT or EINTR the bits of up
 * to 32768 pages may be lost.
 */
struct upadev_harvest {
	__u64 page;		/* in: first page */
	__u64 count;		/* in: pages */
	__u64 accessed;		/* in: address of __u64[(count + 63) / 64], or 0 */
	__u64 dirty;		/* in: the same */
	__u32 flags;		/* in: UPADEV_HARVEST_* */
	__u32 pad;		/* in: 0 */
	__u64 accessed_pages;	/* out: number of bits set */
	__u64 dirty_pages;	/* out */
	__u64 reserved[2];	/* in: 0 */
};

/*
 * Grow or shrink the pool; frames enter and leave it at the upper end. Before frames leave,
 * all mappings are emptied; those of the frames that stay come back when touched. Shrinking is
 * for guarded mode only (else EOPNOTSUPP). Errors: ENOMEM (the pool then keeps its size).
 */
struct upadev_resize {
	__u64 frames;		/* in: new size, 0 .. max_frames, a multiple of 512 */
	__u64 reserved[3];	/* in: 0 */
};

/*
 * Do at once what memory pressure would, to as many blocks as it takes for `pages`. Only with UPADEV_CREATE_RECLAIM (else
 * EOPNOTSUPP). With 0 pages it only tells `gone`.
 */
struct upadev_reclaim {
	__u64 pages;		/* in: at most so many, rounded up to 512 */
	__u64 reclaimed;	/* out: given back to the kernel by this call */
	__u64 gone;		/* out: pages of the pool without memory now */
	__u64 reserved;		/* in: 0 */
};

/* Counts since the region was made. */
struct upadev_stats {
	__u64 pages;
	__u64 frames;
	__u64 max_frames;
	__u32 mode;
	__u32 pad;
	__u64 faults;		/* touches of pages not installed that found a valid entry */
	__u64 fault_pages;	/* pages installed by them */
	__u64 bad_faults;	/* touches answered by SIGBUS */
	__u64 map_calls;
	__u64 map_pages;
	__u64 unmap_calls;
	__u64 unmap_pages;
	__u64 shootdowns;	/* TLB flushes done */
	__u64 shared_shootdowns; /* flushes saved because one that began later served several calls */
	__u64 charged_pages;	/* pages charged to the locked-memory limit */
	__u64 reclaimed_pages;	/* taken by the kernel under memory pressure */
	__u64 reserved[3];	/* 0 */
};

#define UPADEV_INFO	_IOR('U', 0x80, struct upadev_info)
#define UPADEV_CREATE	_IOWR('U', 0x81, struct upadev_create)
#define UPADEV_MAP	_IOWR('U', 0x82, struct upadev_batch)
#define UPADEV_UNMAP	_IOWR('U', 0x83, struct upadev_batch)
#define UPADEV_HARVEST	_IOWR('U', 0x85, struct upadev_harvest)
#define UPADEV_RESIZE	_IOW('U', 0x86, struct upadev_resize)
#define UPADEV_STATS	_IOR('U', 0x87, struct upadev_stats)
#define UPADEV_RECLAIM	_IOWR('U', 0x88, struct upadev_reclaim)

#endif /* _UAPI_UPA_H */
