/* SPDX-License-Identifier: Apache-2.0 */
#include "os/file.h"

size_t file_read(const char *path, char *text, size_t bytes)
{
	int fd = file_open(path, O_RDONLY);
	size_t length = 0;
	long n;

	if (fd >= 0) {
		while (length < bytes - 1 &&
		       ((n = os_call(SYS_read, fd, (long)(text + length), (long)(bytes - 1 - length), 0, 0, 0)) > 0 ||
			n == -EINTR))
			length += n > 0 ? (size_t)n : 0;
		file_close(fd);
	}
	text[length] = 0;
	return length;
}
