/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says of a range in /proc/self/maps, read with bare system calls and into no more than a line of
 * memory, so that a signal handler may ask. Slow: for the rare case in which only the kernel knows.
 */
#ifndef UPA_MAPS_H
#define UPA_MAPS_H

#include "os/file.h"

/* One line: "start-end rwxp offset device inode name", numbers but for the last two in hexadecimal. */
struct maps_line {
	uintptr_t start, end;
	uint64_t inode;
	char access[4];
};

/* Takes the next character of a line; its first five fields are kept. */
static inline void maps_take(struct maps_line *line, int *field, int *at, char c)
{
	uint64_t digit = c >= '0' && c <= '9' ? (uint64_t)(c - '0') :
			 c >= 'a' && c <= 'f' ? (uint64_t)(c - 'a') + 10 :
						16;

	if (c == ' ' || (*field == 0 && c == '-')) {
		(*field)++;
		*at = 0;
		return;
	}
	switch (*field) {
	case 0: line->start = line->start << 4 | digit; break;
	case 1: line->end = line->end << 4 | digit; break;
	case 2: line->access[*at & 3] = c; break;
	case 5: line->inode = line->inode * 10 + digit; break;
	}
	(*at)++;
}

/* How many mappings the process has; 0 if there is no telling. */
static inline size_t maps_count(void)
{
	int fd = file_open("/proc/self/maps", O_RDONLY);
	char buffer[1024];
	size_t count = 0;
	long n;

	if (fd < 0)
		return 0;
	while ((n = os_call(SYS_read, fd, (long)buffer, sizeof(buffer), 0, 0, 0)) > 0 && !os_failed(n))
		for (long i = 0; i < n; i++)
			count += buffer[i] == '\n';
	file_close(fd);
	return count;
}

/*
 * Is every page of a range mapped private, anonymous, to be read and written and no more? False also if there is no
 * telling.
 */
static inline bool maps_ordinary(const void *address, size_t bytes)
{
	uintptr_t at = (uintptr_t)address;
	uintptr_t end = at + bytes;
	int fd = file_open("/proc/self/maps", O_RDONLY);
	struct maps_line line = { 0 };
	int field = 0, column = 0;
	char buffer[1024];
	long n;

	if (fd < 0)
		return false;
	while (at < end && (n = os_call(SYS_read, fd, (long)buffer, sizeof(buffer), 0, 0, 0)) > 0 && !os_failed(n))
		for (long i = 0; i < n && at < end; i++) {
			if (buffer[i] != '\n') {
				maps_take(&line, &field, &column, buffer[i]);
				continue;
			}
			if (line.end > at) {
				if (line.start > at || line.inode || line.access[0] != 'r' || line.access[1] != 'w' ||
				    line.access[2] != '-' || line.access[3] != 'p')
					goto done;
				at = line.end;
			}
			line = (struct maps_line){ 0 };
			field = column = 0;
		}
done:
	file_close(fd);
	return at >= end;
}

#endif
