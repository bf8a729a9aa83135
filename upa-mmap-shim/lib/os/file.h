/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - small files, above all those of /proc and /sys, read with bare system calls. Safe in signal handlers. */
#ifndef UPA_OS_FILE_H
#define UPA_OS_FILE_H

#include <fcntl.h>

#include "os/os.h"

/* A descriptor, or -errno. */
static inline int file_open(const char *path, int flags)
{
	return (int)os_call(SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, 0, 0, 0);
}

static inline void file_close(int fd)
{
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

/*
 * Reads the start of a file, at most bytes-1 of it, and ends it with a 0. Returns how many bytes were read; 0, and an
 * empty text, if there is nothing to be read. The descriptor is open only meanwhile: a program may count its own.
 */
size_t file_read(const char *path, char *text, size_t bytes);

#endif
