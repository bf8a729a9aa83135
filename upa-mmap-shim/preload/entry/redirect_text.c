/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "entry/redirect_text.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "os/os.h"

static bool written(unsigned char *at, const unsigned char *bytes, size_t length)
{
	__builtin___clear_cache((char *)at, (char *)at + length);
	return !memcmp(at, bytes, length);
}

bool text_write_all(struct patch *patches, size_t n, text_writer *write, long context)
{
	size_t i;

	for (i = 0; i < n; i++) {
		memcpy(patches[i].was, patches[i].at, patches[i].length);
		patches[i].written = write(patches[i].at, patches[i].bytes, patches[i].length, context) &&
				     written(patches[i].at, patches[i].bytes, patches[i].length);
		if (!patches[i].written)
			break;
	}
	if (i == n)
		return true;
	/* The one that failed may have been written in part. */
	for (size_t k = i + 1; k-- > 0;)
		patches[k].written = (!write(patches[k].at, patches[k].was, patches[k].length, context) ||
				      !written(patches[k].at, patches[k].was, patches[k].length)) &&
				     patches[k].written;
	return false;
}

static bool by_store(unsigned char *at, const unsigned char *bytes, size_t length, long unused)
{
	(void)unused;
	memcpy(at, bytes, length);
	return true;
}

bool text_write_mapped(struct patch *patches, size_t n)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = UINTPTR_MAX, end = 0;
	bool done;

	for (size_t i = 0; i < n; i++) {
		uintptr_t at = (uintptr_t)patches[i].at;

		first = at < first ? at : first;
		end = at + patches[i].length > end ? at + patches[i].length : end;
	}
	first &= ~(page - 1);
	end = (end + page - 1) & ~(page - 1);
	/* All lie in the same text, so everything between them does. */
	if (first >= end || os_mprotect((void *)first, end - first, PROT_READ | PROT_WRITE | PROT_EXEC))
		return false;
	done = text_write_all(patches, n, by_store, 0);
	os_mprotect((void *)first, end - first, PROT_READ | PROT_EXEC);
	return done;
}

static bool by_file(unsigned char *at, const unsigned char *bytes, size_t length, long fd)
{
	return os_call(SYS_pwrite64, fd, (long)bytes, (long)length, (long)at, 0, 0) == (long)length;
}

bool text_write_through_file(struct patch *patches, size_t n)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/mem", O_RDWR | O_CLOEXEC, 0, 0, 0);
	bool done;

	if (os_failed(fd))
		return false;
	done = text_write_all(patches, n, by_file, fd);
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	return done;
}

bool text_write(struct patch *patches, size_t n)
{
	return !n || text_write_mapped(patches, n) || text_write_through_file(patches, n);
}
