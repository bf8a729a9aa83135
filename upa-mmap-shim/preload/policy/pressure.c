/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/pressure.h"

#include <string.h>

/* In hundredths of a percent of the last ten seconds. */
#define STALL_LIMIT 500

#define INTERVAL 1000

int64_t pressure_number(const char *text)
{
	int64_t n = -1;

	for (; *text == '.' || (*text >= '0' && *text <= '9'); text++)
		if (*text != '.' && n < INT64_MAX / 10 - 10)
			n = (n < 0 ? 0 : n * 10) + (*text - '0');
	return n;
}

bool pressure_stalls(const char *text)
{
	const char *average = strstr(text, "avg10=");

	return average && pressure_number(average + 6) > STALL_LIMIT;
}

bool pressure_is_short(int64_t available, int64_t total)
{
	return available < 0 || total < 0 || available < total / 8;
}

bool pressure_due(const struct pressure *p, int64_t now)
{
	return now - p->asked_at >= INTERVAL;
}

void pressure_answer(struct pressure *p, int64_t now, bool stalls)
{
	p->asked_at = now;
	p->stalls = stalls;
}

/* Behind what parts a name from its number. */
static const char *behind(const char *text)
{
	while (*text == ' ' || *text == ':')
		text++;
	return text;
}

int64_t pressure_field(const char *text, const char *name)
{
	size_t length = strlen(name);

	while (text) {
		if (!strncmp(text, name, length) && (text[length] == ' ' || text[length] == ':'))
			return pressure_number(behind(text + length));
		text = strchr(text, '\n');
		text += !!text;
	}
	return -1;
}

bool pressure_is_limit(int64_t limit)
{
	return limit >= 0 && limit < 1ll << 60;
}

static int64_t not_negative(int64_t n)
{
	return n > 0 ? n : 0;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t pressure_keepable(int64_t limit, int64_t use, int64_t files, int64_t kept)
{
	int64_t others;

	if (!pressure_is_limit(limit))
		return INT64_MAX;
	others = not_negative(not_negative(use) - not_negative(files) - kept);
	return least(limit / PRESSURE_SHARE, not_negative(limit - others) / 2);
}

int64_t pressure_keepable_of_machine(int64_t available, int64_t kept)
{
	return available < 0 ? INT64_MAX : (available + kept) / 2;
}

/* A group's line "id:controllers:path". */
struct line {
	const char *path;
	size_t length;
	bool memory, unified;
};

static struct line parse(const char *text, size_t length)
{
	const char *end = text + length;
	const char *names = memchr(text, ':', length);
	const char *path = names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;
	struct line l = { 0 };

	if (!path)
		return l;
	l.path = path + 1;
	l.length = (size_t)(end - l.path);
	l.unified = text[0] == '0' && names == text + 1 && path == names + 1;
	l.memory = path - names == 7 && !memcmp(names, ":memory", 7);
	return l;
}

static void put(char *out, const char *root, const char *path, size_t length)
{
	size_t root_length = strlen(root);

	*out = 0;
	/* Behind it comes the name of a file. */
	if (root_length + length + PRESSURE_FILE_BYTES > PRESSURE_PATH_BYTES)
		return;
	memcpy(out, root, root_length);
	memcpy(out + root_length, path, length);
	out[root_length + length] = 0;
}

/* Of a path's start the part without its last name: "" above "/a". */
static size_t above(const char *path, size_t length)
{
	while (length && path[--length] != '/')
		;
	return length;
}

bool pressure_level(const char *text, unsigned index, struct pressure_level *out)
{
	while (*text) {
		const char *end = strchr(text, '\n');
		size_t length = end ? (size_t)(end - text) : strlen(text);
		struct line l = parse(text, length);

		text += length + !!end;
		if (!l.unified && !l.memory)
			continue;
		/* The root's own path is "/". */
		for (size_t n = l.length > 1 ? l.length : 0;; n = above(l.path, n)) {
			if (!index--) {
				out->unified = l.unified;
				put(out->folder, l.unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", l.path, n);
				return true;
			}
			if (!n)
				break;
		}
	}
	return false;
}
