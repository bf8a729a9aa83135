/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "os/maps.h"

#include <string.h>

#include "os/file.h"
#include "os/filter.h"
#include "os/os.h"
#include "os/page.h"

/* The longest start of a line that is looked at: numbers of a mapping, or its flags, of which there are 26 at most. */
#define LINE_BYTES 128

/* Takes a line, cut to what fits; false: that will do. */
typedef bool take_line(const char *line, void *context);

/* Has each line of a file taken. False if there is no such file. */
static bool read_lines(const char *path, take_line *take, void *context)
{
	int fd = file_open(path, O_RDONLY);
	char buffer[1024], line[LINE_BYTES];
	size_t length = 0;
	bool more = true;
	long n;

	if (fd < 0)
		return false;
	while (more && (n = os_call(SYS_read, fd, (long)buffer, sizeof(buffer), 0, 0, 0)) > 0 && !os_failed(n))
		for (long i = 0; i < n && more; i++) {
			if (buffer[i] != '\n') {
				if (length < sizeof(line) - 1)
					line[length++] = buffer[i];
				continue;
			}
			line[length] = 0;
			length = 0;
			more = take(line, context);
		}
	file_close(fd);
	return true;
}

struct mapping {
	uintptr_t start, end;
	uint64_t offset, inode;
	char access[4];
	const char *name; /* and spaces before it */
};

/* The number at *at, which is moved past it and the character behind. */
static uint64_t number(const char **at, unsigned base)
{
	uint64_t value = 0;

	for (;; (*at)++) {
		char c = **at;
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') :
				 c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 :
							base;

		if (digit >= base)
			break;
		value = value * base + digit;
	}
	*at += **at != 0;
	return value;
}

/* "start-end rwxp offset device inode name", numbers but for the inode in hexadecimal. False: not such a line. */
static bool parse(const char *line, struct mapping *m)
{
	/* What is said of a mapping begins with a capital letter. */
	if (*line >= 'A' && *line <= 'Z')
		return false;
	m->start = number(&line, 16);
	m->end = number(&line, 16);
	if (strlen(line) < sizeof(m->access))
		return false;
	memcpy(m->access, line, sizeof(m->access));
	line += sizeof(m->access) + 1;
	m->offset = number(&line, 16);
	number(&line, 16);
	number(&line, 16);
	m->inode = number(&line, 10);
	m->name = line;
	return true;
}

/* ---- how many, and where one ends ------------------------------------------------------------------------ */

static bool count(const char *line, void *context)
{
	(void)line;
	++*(size_t *)context;
	return true;
}

size_t maps_count(void)
{
	size_t n = 0;

	read_lines("/proc/thread-self/maps", count, &n);
	return n;
}

/*
 * Is a range one mapping? The kernel says so (EFAULT if not) when asked to have it grow in place by more than there are
 * addresses for.
 */
static bool is_one(uintptr_t from, size_t bytes)
{
	return os_mremap((void *)from, bytes, MOST_ADDRESSES - PAGE_BYTES, 0, NULL) != -EFAULT;
}

size_t maps_one(const void *address, size_t bytes)
{
	size_t one = 0, more = bytes / PAGE_BYTES + 1;

	if (is_one((uintptr_t)address, bytes))
		return bytes;
	while (more - one > 1) {
		size_t middle = one + (more - one) / 2;

		if (is_one((uintptr_t)address, middle * PAGE_BYTES))
			one = middle;
		else
			more = middle;
	}
	return one * PAGE_BYTES;
}

static bool find_attached(const char *line, void *context)
{
	struct maps_piece *piece = context;
	struct mapping m;

	if (!parse(line, &m) || m.start < (uintptr_t)piece->start || m.start - (uintptr_t)piece->start != m.offset ||
	    m.access[3] != 's' || (piece->inode && piece->inode != m.inode))
		return true;
	if (!piece->inode && !strstr(m.name, "/SYSV"))
		return true;
	piece->address = (char *)m.start;
	piece->bytes = m.end - m.start;
	piece->inode = m.inode;
	return false;
}

bool maps_attached(struct maps_piece *piece)
{
	piece->bytes = 0;
	read_lines("/proc/thread-self/maps", find_attached, piece);
	return piece->bytes;
}

/* ---- what is done to them -------------------------------------------------------------------------------- */

struct question {
	uintptr_t at, end;  /* what is left of the range */
	struct mapping now; /* the one that lines speak of; it reaches beyond `at` */
	uint64_t state;     /* of it so far: a hash of what is said */
	uint64_t first;     /* of the range's first mapping */
	bool begun, differs, filtered;
	struct maps_said said;
};

/* FNV-1a. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3;
	return hash;
}

/*
 * By which mappings of a program's that are alike may differ: dirty since somebody asked, with guards in it, for which
 * the kernel joins them anyway; how memory was promised (that of a region is not, that of a mapping over it may be);
 * huge pages.
 */
static bool is_of_no_matter(const char *flag)
{
	static const char list[][3] = { "sd", "gu", "ac", "nr", "hg", "nh" };

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		if (!memcmp(flag, list[i], 2))
			return true;
	return false;
}

/* "VmFlags: rd wr ...", in an order that is always the same. */
static void take_flags(struct question *q, const char *flag)
{
	for (; flag[0] && flag[1]; flag += flag[2] ? 3 : 2) {
		if (!is_of_no_matter(flag))
			q->state = mix(q->state, flag, 2);
		q->said.locked_on_fault |= !memcmp(flag, "lf", 2);
	}
}

/* The policy of nodes, which no line says. */
static void take_policy(struct question *q)
{
	unsigned long nodes[16] = { 0 };
	int mode = 0;
	long error;

	if (q->filtered)
		return;
	error = os_call(SYS_get_mempolicy, (long)&mode, (long)nodes, sizeof(nodes) * 8 + 1, (long)q->at,
			2 /* MPOL_F_ADDR */, 0);
	q->state = mix(q->state, &error, sizeof(error));
	q->state = mix(q->state, &mode, sizeof(mode));
	q->state = mix(q->state, nodes, sizeof(nodes));
}

/* The last line that speaks of a mapping is that of its flags. */
static bool ask(const char *line, void *context)
{
	struct question *q = context;
	const char *flags;

	if (parse(line, &q->now)) {
		q->state = mix(0xcbf29ce484222325, q->now.access, sizeof(q->now.access));
		q->differs |= q->now.end > q->at && (q->now.start > q->at || q->now.inode || q->now.access[3] != 'p');
		return !q->differs;
	}
	if (q->now.end <= q->at)
		return true;
	if (!strncmp(line, "ProtectionKey:", 14))
		q->state = mix(q->state, line, strlen(line));
	flags = strncmp(line, "VmFlags: ", 9) ? NULL : line + 9;
	if (!flags)
		return true;
	take_flags(q, flags);
	take_policy(q);
	if (!q->begun)
		q->first = q->state;
	q->begun = true;
	q->differs = q->state != q->first;
	q->at = q->now.end;
	return !q->differs && q->at < q->end;
}

struct maps_said maps_ask(const void *address, size_t bytes)
{
	struct question q = { .at = (uintptr_t)address, .end = (uintptr_t)address + bytes, .filtered = os_filtered() };

	q.said.alike = !read_lines("/proc/thread-self/smaps", ask, &q) || (!q.differs && q.at >= q.end);
	return q.said;
}
