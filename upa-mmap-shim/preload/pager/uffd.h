/* SPDX-License-Identifier: Apache-2.0 */
/* uffd.h - userfaultfd(2) as far as the client needs it, also where the kernel's header is older than the kernel. */
#ifndef UPA_PAGER_UFFD_H
#define UPA_PAGER_UFFD_H

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "os/os.h"

#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON (1 << 14)
#endif
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE (1 << 16)
#endif
#ifndef UFFDIO_MOVE
struct uffdio_move {
	__u64 dst, src, len, mode;
	__s64 move;
};
#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif

/* All of these, or there is no paging: each stands for a way in which content would be lost. */
#define UFFD_FEATURES                                                                                                  \
	(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP |   \
	 UFFD_FEATURE_THREAD_ID | UFFD_FEATURE_POISON | UFFD_FEATURE_MOVE)

static inline int uffd_call(int fd, unsigned long request, void *argument)
{
	return (int)os_call(SYS_ioctl, fd, (long)request, (long)argument, 0, 0, 0);
}

/* A descriptor or -errno. */
static inline int uffd_open(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = (int)os_call(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK, 0, 0, 0, 0, 0);
	int error = fd < 0 ? fd : uffd_call(fd, UFFDIO_API, &api);

	if (error < 0 && fd >= 0)
		os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	return error < 0 ? error : fd;
}

static inline int uffd_register(int fd, void *address, size_t bytes)
{
	struct uffdio_register r = { .range = { (uintptr_t)address, bytes }, .mode = UFFDIO_REGISTER_MODE_MISSING };

	return uffd_call(fd, UFFDIO_REGISTER, &r);
}

static inline int uffd_unregister(int fd, void *address, size_t bytes)
{
	struct uffdio_range range = { (uintptr_t)address, bytes };

	return uffd_call(fd, UFFDIO_UNREGISTER, &range);
}

/* Bytes moved, or -errno if none was. */
static inline long uffd_move(int fd, void *to, void *from, size_t bytes)
{
	struct uffdio_move m = { .dst = (uintptr_t)to, .src = (uintptr_t)from, .len = bytes };
	int error = uffd_call(fd, UFFDIO_MOVE, &m);

	return m.move > 0 ? (long)m.move : error;
}

#endif
