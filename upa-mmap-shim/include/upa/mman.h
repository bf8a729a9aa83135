/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upa/mman.h - mmap(2), munmap(2), mremap(2), madvise(2) and mprotect(2) over one region of the process,
 * with their signatures, flags, results and errno.
 *
 * Private anonymous readable and writable memory comes from the process's default region, which is
 * made by the first such call. Everything else (files, MAP_SHARED, MAP_FIXED and its kin, other
 * protections, MAP_HUGETLB, MAP_LOCKED, MAP_GROWSDOWN, MAP_32BIT, a range partly outside the region) has
 * the kernel's own meaning and goes to it. If the region cannot be made or is full, the kernel serves.
 *
 * What differs from the kernel: a page that has been unmapped stays accessible, holding old bytes,
 * until it is handed out again or given back. A program must not rely on a fault after munmap. And mremap()
 * of several mappings of which a part only is in the region is EFAULT (as on Linux before 6.17) unless it shrinks.
 *
 * Environment: UPA_REGION_BYTES sets the size of the default region, in bytes (suffixes K, M, G, T);
 * UPA_BACKEND=linear, pte or pte-raw where its memory comes from (see upa/region.h), UPA_POOL_BYTES and
 * UPA_DEFERRED_BYTES the bounds on the latter two, UPA_RECLAIM=1 UPA_REGION_RECLAIM and UPA_BLOCKS=1 UPA_REGION_BLOCKS
 * on pte. A back end that cannot be had is said in one line on standard error, and the kernel serves.
 *
 * On pte and pte-raw, mprotect to anything but readable and writable, MAP_FIXED, MREMAP_FIXED into the region and
 * advice that sticks are granted only to a process with one thread, whose region becomes linear thereby. Else they
 * fail: EACCES, EINVAL. MADV_DONTNEED clears and keeps the memory.
 *
 * Thread- and signal-safety: as the system calls.
 */
#ifndef UPA_MMAN_H
#define UPA_MMAN_H

#include <stddef.h>
#include <sys/types.h>

#include <upa/api.h>
#include <upa/region.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A flag of upa_mmap() beside MAP_*, and of upa_mremap() beside MREMAP_*: new pages need not be zero. (Linux uses no
 * bit above 26.)
 */
#define UPA_MAP_UNCLEARED 0x40000000

/* As mmap(2). */
UPA_API void *upa_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);

/* As munmap(2): any page-aligned part, mapped or not, of one or several mappings. */
UPA_API int upa_munmap(void *address, size_t length);

/* As mremap(2); the fifth argument, void *new_address, only with MREMAP_FIXED or MREMAP_DONTUNMAP. */
UPA_API void *upa_mremap(void *old_address, size_t old_size, size_t new_size, int flags, ...);

/* As madvise(2). */
UPA_API int upa_madvise(void *address, size_t length, int advice);

/*
 * As mprotect(2). Memory from upa_mmap() must be protected with this call, so that its next holder finds it
 * unprotected.
 */
UPA_API int upa_mprotect(void *address, size_t length, int protection);

/* The process's default region, made now if need be; NULL with errno if it cannot be. */
UPA_API struct upa_region *upa_mman_region(void);

#ifdef __cplusplus
}
#endif
#endif
