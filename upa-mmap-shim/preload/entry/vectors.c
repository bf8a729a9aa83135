/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on several ranges at once: vmsplice(), process_madvise(). */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "entry/entry.h"
#include "gate.h"
#include "os/file.h"
#include "os/filter.h"
#include "os/message.h"
#include "os/page.h"
#include "stand_aside.h"
#include "upkeep/heap.h"

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

#define MOST_RANGES 1024 /* UIO_MAXIOV */

/* MAX_RW_COUNT of the kernel. */
#define MOST_BYTES ((size_t)INT_MAX & ~(PAGE_BYTES - 1))

#define NO_ADVICE (-1)

/* Could the kernel read these ranges? If not, it says so. */
static bool legible(const struct iovec *vector, size_t count)
{
	uintptr_t at = (uintptr_t)vector;
	uintptr_t end = at + count * sizeof(*vector);

	if (!vector || !count || count > MOST_RANGES || end < at)
		return false;
	for (; at < end; at = (at & ~4095ul) + 4096)
		if (!entry_readable((void *)at))
			return false;
	return true;
}

/*
 * Pages that sit in a pipe must be neither handed out again nor cleared: tainted, their memory is dropped when they
 * are unmapped; of others no mark is kept.
 */
EXPORT ssize_t vmsplice(int fd, const struct iovec *vector, size_t count, unsigned flags)
{
	const struct iovec *end = legible(vector, count) ? vector + count : vector;

	for (const struct iovec *v = vector; v < end; v++) {
		uintptr_t from = (uintptr_t)v->iov_base & ~4095ul;
		uintptr_t to = (uintptr_t)v->iov_base + v->iov_len;

		heap_disturb((void *)from, to - from, false);
		if (!entry_taint((void *)from, to - from))
			stand_aside(ASIDE_SPLICED);
	}
	return entry_result(ENTRY_NEXT(vmsplice, os_call(SYS_vmsplice, fd, (long)vector, (long)count, flags, 0, 0), fd,
				       vector, count, flags));
}

static long kernel_process_madvise(int pidfd, const struct iovec *vector, size_t count, int advice, unsigned flags)
{
	return os_call(SYS_process_madvise, pidfd, (long)vector, (long)count, advice, flags, 0);
}

/*
 * Does this descriptor stand for this process, or a thread of it? The kernel says so since Linux 6.13: there is advice
 * that nobody may give to another. Before, advice that leaves something behind could be given to nobody.
 */
static bool is_self(int pidfd)
{
	static const char key[] = "Pid:\t";
	struct message path = { .length = 0 };
	char text[512];
	const char *line;

	if (!kernel_process_madvise(pidfd, NULL, 0, MADV_DONTNEED, 0))
		return true;
	if (pidfd < 0)
		return false;
	message_text(&path, "/proc/thread-self/fdinfo/");
	message_number(&path, (uint64_t)pidfd, 0);
	path.text[path.length] = 0;
	if (os_filtered() || !file_read(path.text, text, sizeof(text)))
		return false;
	line = strstr(text, key);
	path.length = 0;
	message_text(&path, "/proc/self/task/");
	for (line = line ? line + sizeof(key) - 1 : "-"; *line >= '0' && *line <= '9'; line++)
		path.text[path.length++] = *line;
	path.text[path.length] = 0;
	return path.text[path.length - 1] != '/' &&
	       !os_call(SYS_faccessat, -100 /* AT_FDCWD */, (long)path.text, 0, 0, 0, 0);
}

/* Is any of it memory that the kernel has and the program has not, or must a mark be kept? */
static bool concerns_us(const struct iovec *vector, size_t count)
{
	struct heap_breaks breaks = heap_breaks();

	for (size_t i = 0; i < count; i++) {
		uintptr_t from = (uintptr_t)vector[i].iov_base;

		if (gate_touched(vector[i].iov_base, vector[i].iov_len) ||
		    (from < breaks.kernel && from + vector[i].iov_len > breaks.program))
			return true;
	}
	return false;
}

/*
 * What the kernel looks at first: without ranges, all else; then, whatever the advice, whether they may be the
 * program's: EFAULT, or EINVAL for lengths that are negative.
 */
static long refused_ranges(int pidfd, const struct iovec *vector, size_t count, int advice, unsigned flags)
{
	long refused = kernel_process_madvise(pidfd, vector, 0, advice, flags);

	if (refused)
		return refused;
	for (size_t i = 0; i < count; i++)
		if ((ssize_t)vector[i].iov_len < 0)
			return -EINVAL;
	return kernel_process_madvise(pidfd, vector, count, NO_ADVICE, flags) == -EFAULT ? -EFAULT : 0;
}

/* Of all ranges together, as far as one call goes. */
static size_t all_bytes(const struct iovec *vector, size_t count)
{
	size_t all = 0;

	for (size_t i = 0; i < count; i++)
		all += vector[i].iov_len < MOST_BYTES - all ? vector[i].iov_len : MOST_BYTES - all;
	return all;
}

EXPORT ssize_t process_madvise(int pidfd, const struct iovec *vector, size_t count, int advice, unsigned flags)
{
	ssize_t done = 0;
	long refused;
	size_t left;

	if (!legible(vector, count) || !concerns_us(vector, count) || !is_self(pidfd))
		return entry_result(ENTRY_NEXT(process_madvise,
					       kernel_process_madvise(pidfd, vector, count, advice, flags), pidfd,
					       vector, count, advice, flags));
	refused = refused_ranges(pidfd, vector, count, advice, flags);
	if (refused)
		return entry_result(refused);
	left = all_bytes(vector, count);
	/* Of empty ranges the kernel looks at none but the first one. */
	for (size_t i = 0; left; i++) {
		size_t bytes = vector[i].iov_len < left ? vector[i].iov_len : left;

		if (i && !bytes)
			continue;
		if (own_madvise(vector[i].iov_base, bytes, advice))
			return done ? done : -1;
		done += (ssize_t)bytes;
		left -= bytes;
	}
	return done;
}

ENTRY_IS_OWN(vmsplice);
ENTRY_IS_OWN(process_madvise);
