/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upa/region.h - a region: one contiguous, 2 MiB-aligned range of addresses whose pages are
 * allocated here and not by the kernel.
 *
 * The range is reserved at once and may be far larger than memory. A freed page keeps its memory, so that the
 * next caller gets it without a system call, a fault or a TLB flush, until upa_region_give_back() returns it to the
 * kernel. Three back ends:
 *   linear    any Linux: the kernel puts memory behind a page on its first touch, and it stays there.
 *   pte       the module of kernel-ext, /dev/upa: a pool of page frames, which are put behind pages here. Moving a
 * block moves frames. pte-raw   the same, writing hardware page tables: it gives the process all physical memory.
 *
 * Two kinds of linear regions:
 *   private  anonymous memory, data and metadata. fork() gives the child a copy of both.
 *   shared   a file (on tmpfs for memory) that holds metadata and data; processes attach to it by its
 *            path. The file survives its users; upa_region_recover() mends it after a killed one.
 *
 * Thread-safety: map, unmap, resize, give_back, populate, clear and stats may be called from any
 * thread or signal handler at any time. A block may be resized or unmapped only by one thread at a time.
 *
 * Errors: -errno from functions that return int or a count; NULL with errno set from those that
 * return an address. ENOMEM is a shortage; EINVAL is misuse: a size of 0 or one that overflows, an
 * address that is misaligned, foreign or not allocated, an unknown flag.
 */
#ifndef UPA_REGION_H
#define UPA_REGION_H

#include <stddef.h>
#include <stdint.h>

#include <upa/api.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UPA_REGION_MAGIC 0x31304e4f49474552ull /* the bytes "REGION01" */
#define UPA_REGION_ABI 1u

/* Flags of create. */
#define UPA_REGION_HUGEPAGE 1u   /* advise transparent huge pages for the whole range */
#define UPA_REGION_NOHUGEPAGE 2u /* advise against them, whatever the system's default */

/*
 * UPA_BACKEND_PTE only. The memory of free pages, and of page frames that stand at no page, is the kernel's to take
 * under memory pressure, page by page, without a call by this process; and give_back returns it wherever it is in the
 * pool, not only at its end. What still has memory is preferred afterwards. A touch of what was taken brings zeroed
 * memory, as the first touch of any anonymous memory does. All frames of the pool still count as locked memory.
 */
#define UPA_REGION_RECLAIM 4u

/*
 * UPA_BACKEND_PTE only. Where 2 MiB of pages have page frames that lie together, the kernel maps them by one entry:
 * less work to map and unmap, and fewer TLB misses. -EOPNOTSUPP where the kernel or the processor has no such entries.
 */
#define UPA_REGION_BLOCKS 8u

/* Flags of map and resize. */
#define UPA_MAP_ZEROS 1u   /* the new pages must read zero */
#define UPA_MAP_FAULTED 2u /* map: populate now whatever has no memory yet (one system call) */
#define UPA_MAP_INPLACE 4u /* resize: do not move; ENOMEM if the pages behind are taken */

/* Where the memory of a region comes from. */
#define UPA_BACKEND_LINEAR 0u
#define UPA_BACKEND_PTE 1u
#define UPA_BACKEND_PTE_RAW 2u

/*
 * Zeros stand for the defaults. The last four are those of the back ends on the device:
 *
 *   pool_bytes          page frames to start with, rounded up to 2 MiB; the pool grows as needed
 *   max_pool_bytes      up to this. Default: half of the machine's memory
 *   max_deferred_bytes  free pages may keep their frames, still mapped, up to so many bytes. An unmap that exceeds it
 *                       takes frames away from free pages, first from its own, until half of it is left: one TLB
 *                       shoot-down for up to 128 ranges. 0: a touch after unmap is a SIGBUS
 *   device              default: /dev/upa
 */
struct upa_region_options {
	uint64_t bytes;   /* addresses, rounded up to 2 MiB */
	uint32_t backend; /* UPA_BACKEND_* */
	uint32_t flags;   /* UPA_REGION_*: linear only, but for the last two */
	uint64_t pool_bytes;
	uint64_t max_pool_bytes;
	uint64_t max_deferred_bytes;
	const char *device;
};

/* A process's handle of a region. */
struct upa_region;

/* Of a shared region, what all its processes did. Exact when nobody else is at work. */
struct upa_region_stats {
	uint64_t capacity_bytes;
	uint64_t allocated_bytes;
	uint64_t retained_bytes; /* free, with memory behind it (upper bound); free page frames count as well */
	uint64_t metadata_bytes; /* address space of the metadata; touched only as far as it is used */
	uint64_t maps;           /* calls that took pages: map, map_at, a resize that grows */
	uint64_t unmaps;         /* calls that freed pages: unmap, a resize that shrinks or moves */
	uint64_t failures;       /* calls that found no room, or no memory for what they found */
	uint64_t cleared_bytes;  /* old bytes overwritten with zeros, for a caller or by upa_region_clear() */
	uint64_t moved_bytes;    /* by resize: bytes, page tables or frames; and from free memory to large runs */
	uint64_t given_back_bytes;
};

/*
 * Creates a private region of `bytes` (rounded up to 2 MiB). 0, -EINVAL, -ENOMEM; the latter also after
 * mlockall(MCL_FUTURE), which would have all of it in memory at once. -ENOTSUP, as for the others that make or attach a
 * region: the kernel's pages have not 4096 bytes.
 */
UPA_API int upa_region_create(struct upa_region **out, uint64_t bytes, uint32_t flags);

/*
 * Creates a private region with any back end. Also: -ENOENT, -EACCES and other errors of open(2) on the device; -EPERM:
 * raw mode is not allowed; -EPROTO: another version of the module; -EMFILE: more than 64 regions on the device.
 *
 * What differs on the device: no call of the kernel can change a part of the mapping (mprotect, MAP_FIXED, mremap fail
 * with the module's errors: see upa_region_taint), nor reach its pages without copying (O_DIRECT, ptrace,
 * process_vm_readv: EFAULT or EIO). There is no copy-on-write: fork() copies all pages in use at once, and the child's
 * region is a linear one. What other threads write during fork() may be missing in the child. A child made by a bare
 * clone() or _Fork() may only exec.
 */
UPA_API int upa_region_create_with(struct upa_region **out, const struct upa_region_options *options);

/*
 * Creates the file `path` (it must not exist: -EEXIST) and a shared region in it. Also the errors of open(2),
 * ftruncate(2).
 */
UPA_API int upa_region_create_shared(struct upa_region **out, const char *path, uint64_t bytes, uint32_t flags);

/*
 * Attaches to a shared region that this or another process has created. Nothing in the file is
 * trusted: -EBADMSG: not a region; -EPROTO: another ABI version; -ERANGE: truncated or contradictory.
 */
UPA_API int upa_region_attach(struct upa_region **out, const char *path);

/* Unmaps the region from this process and frees the handle. Pages of a private region are gone, a shared file stays. */
UPA_API int upa_region_destroy(struct upa_region *r);

/* Allocates `bytes` (rounded up to pages), 4 KiB-aligned; from 2 MiB on normally 2 MiB-aligned. */
UPA_API void *upa_region_map(struct upa_region *r, size_t bytes, uint32_t flags);

/* Takes exactly this range of the region if all of it is free. 0, -EBUSY, -EINVAL, -ENOMEM (no page frames left). */
UPA_API int upa_region_map_at(struct upa_region *r, void *address, size_t bytes, uint32_t flags);

/*
 * Frees any part of what has been mapped; the pages keep their memory. 0 or, with nothing freed, -EINVAL, or -ENOMEM
 * where the kernel has to be asked (fenced or tainted pages) and the process may have no more mappings.
 */
UPA_API int upa_region_unmap(struct upa_region *r, void *address, size_t bytes);

/*
 * Says that the caller has changed how the kernel treats these pages of his (mprotect, madvise, mlock,
 * something mapped over them). unmap then restores them, at the price of a system call and of their memory.
 * Only in a private region: other processes have mappings of their own of a shared one (-EINVAL). To be called before
 * the change: a region on the device is turned into a linear one for it if the process has only one thread; else
 * -EOPNOTSUPP.
 */
UPA_API int upa_region_taint(struct upa_region *r, void *address, size_t bytes);

/*
 * Makes a block larger or smaller, in place where the pages behind it are free, else (without
 * UPA_MAP_INPLACE) elsewhere; the contents up to the smaller size are kept. Large blocks are moved by moving
 * page tables, not bytes; tainted ones, which must be readable, by copying: the mark does not go along. Returns the
 * block's address; on NULL the old block is as it was.
 */
UPA_API void *upa_region_resize(struct upa_region *r, void *address, size_t old_bytes, size_t new_bytes,
				uint32_t flags);

/*
 * Gives memory behind free pages back to the kernel until at most `retain_bytes` stay. Returns the bytes given back. On
 * the device, unless the region was made with UPA_REGION_RECLAIM, in units of 2 MiB and only from the end of the pool;
 * pte-raw: none.
 */
UPA_API int64_t upa_region_give_back(struct upa_region *r, uint64_t retain_bytes);

/*
 * Puts zeroed memory behind up to `bytes` of free absent pages, ahead of need, by whole 2 MiB. Returns the bytes
 * populated; -ENOMEM if that is none for want of memory, or of frames that stand at no page.
 */
UPA_API int64_t upa_region_populate(struct upa_region *r, uint64_t bytes);

/* Clears up to `bytes` of free pages with old bytes, ahead of need, by whole 2 MiB. Returns the bytes cleared. */
UPA_API int64_t upa_region_clear(struct upa_region *r, uint64_t bytes);

/*
 * Clears free pages with old bytes ahead of need, by whole 2 MiB, until `bytes` of free memory read zero. Returns the
 * bytes cleared, 0 if there is nothing to do; -EAGAIN as soon as the thread has had to wait for a processor.
 *
 * For a thread that the caller makes for it, has the kernel run where nobody else wants to (SCHED_IDLE), and lets call
 * this again and again, after some milliseconds if there was nothing to do, and later if there was no processor. While
 * it is at work, 2 MiB of free pages are out of reach.
 */
UPA_API int64_t upa_region_clear_ahead(struct upa_region *r, uint64_t bytes);

/* For a shared region none of whose other users is alive: see upa_llfree_recover(). */
UPA_API int64_t upa_region_recover(struct upa_region *r);

/* See upa_llfree_validate(). */
UPA_API int upa_region_validate(const struct upa_region *r, char *message, size_t message_bytes);

UPA_API int upa_region_get_stats(const struct upa_region *r, struct upa_region_stats *out);

UPA_API void *upa_region_base(const struct upa_region *r);
UPA_API uint64_t upa_region_bytes(const struct upa_region *r);

/* The allocation state, for a twin in another language: see upa/llfree.h. */
UPA_API void *upa_region_state(const struct upa_region *r);
UPA_API size_t upa_region_state_bytes(const struct upa_region *r);

#ifdef __cplusplus
}
#endif
#endif
