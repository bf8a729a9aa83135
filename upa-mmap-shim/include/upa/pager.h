/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upa/pager.h - a region on the device whose pages a pager moves: it is held to a bound, and what is over it goes to
 * stores and comes back when it is touched. The pager is another process of the same user, `upa pager --regions`; it is
 * handed a right to the region's pages, which can be revoked.
 *
 *   struct upa_region_options o = { .bytes = 64ull << 30, .backend = UPA_BACKEND_PTE, .flags = UPA_REGION_PAGED,
 *                                   .max_pool_bytes = 1ull << 30 };
 *   upa_region_create_with(&region, &o);
 *   upa_region_admit(region, &(struct upa_region_terms){ .memory_bytes = 512 << 20, .flags = UPA_ADMIT_WAIT });
 *
 * What differs in such a region: all memory comes from the pager, so that a touch of any page is a SIGBUS before one is
 * admitted. Freed pages lose their memory at once, by a system call. UPA_MAP_FAULTED does nothing. A block that cannot
 * be resized in place is copied. Protection, advice and other mappings are refused (upa_region_taint: -EOPNOTSUPP). A
 * forked child has none of it: a touch there is a SIGSEGV.
 */
#ifndef UPA_PAGER_H
#define UPA_PAGER_H

#include <upa/region.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A flag of create, UPA_BACKEND_PTE only, not with other flags. The pool has max_pool_bytes of page frames, the most
 * that can ever be in memory, as locked memory; what is over the bound goes back to the kernel.
 */
#define UPA_REGION_PAGED 0x10u

/*
 * Flag of admit and revoke: where there is no pager, who touches a page that is not in memory waits for one. Else it is
 * a SIGBUS. With admit also: should the pager end, the next one that listens at the same path is admitted, by a thread
 * of the library.
 */
#define UPA_ADMIT_WAIT 1u

/* What a pager is asked for. Zeros stand for the defaults. */
struct upa_region_terms {
	uint64_t memory_bytes; /* what may be in memory; at least 1 MiB, and no more than the pool counts */
	const char *policy;    /* as of `upa run --policy`; default: clock */
	const char *stores;    /* as of its --store, and with its default */
	const char *path;      /* socket at which the pager listens; default: that of `upa pager --regions` */
	uint32_t flags;        /* UPA_ADMIT_* */
};

/*
 * Hands the region to a pager, and returns when that is at work. Pages go on where they are, also after a pager that
 * was killed; the next one must have the same stores.
 *
 * -EOPNOTSUPP: the region was not made with UPA_REGION_PAGED; -EINVAL: unknown flags, memory_bytes below the least, a
 * path or text too long, or the pager does not know such a policy or store; -EBUSY: it has a pager, or another thread
 * is admitting one; -EPERM: the region is another process's, or the pager another user's; -ENOENT, -ECONNREFUSED and
 * others of connect(2): nobody listens; -ETIMEDOUT: it does not answer; -EPROTO: that is no pager; -EIO: it could not
 * begin, and its log says why; -ENOSYS: UPA_ADMIT_WAIT without libpthread, of which glibc is a part since 2.34.
 */
UPA_API int upa_region_admit(struct upa_region *r, const struct upa_region_terms *terms);

/*
 * The same over a socket (AF_UNIX, SOCK_SEQPACKET) of the caller's that is connected to a pager, for instance one of a
 * pair whose other end has been passed on. It stays the caller's. terms->path does not count, and when the pager ends
 * nobody is admitted.
 */
UPA_API int upa_region_admit_at(struct upa_region *r, int socket, const struct upa_region_terms *terms);

/*
 * After it the pager has no right any more, and no other is admitted but by upa_region_admit(). Pages that are not in
 * memory stay in stores. 0; -EOPNOTSUPP; -EINVAL; -EPERM; -ENOENT: none was ever admitted.
 */
UPA_API int upa_region_revoke(struct upa_region *r, uint32_t flags);

#ifdef __cplusplus
}
#endif
#endif
