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

bool pressure_due(const struct pressure *p, int64_t now)
{
	return now - p->asked_at >= INTERVAL;
}

void pressure_answer(struct pressure *p, int64_t now, bool stalls)
{
	p->asked_at = now;
	p->stalls = stalls;
}

bool pressure_is_limit(int64_t limit)
{
	return limit < 1ll << 60;
}

bool pressure_near(int64_t limit, int64_t use)
{
	return limit > 0 && use > limit - limit / 10;
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

static void put(char *out, const char *root, const char *path, size_t length, const char *file)
{
	size_t root_length = strlen(root);

	*out = 0;
	if (root_length + length + strlen(file) >= PRESSURE_PATH_BYTES)
		return;
	memcpy(out, root, root_length);
	memcpy(out + root_length, path, length);
	strcpy(out + root_length + length, file);
}

bool pressure_candidate(const char *text, unsigned index, struct pressure_group *out)
{
	unsigned n = 0;

	for (unsigned number = 0; *text; number++) {
		const char *end = strchr(text, '\n');
		size_t length = end ? (size_t)(end - text) : strlen(text);
		struct line l = parse(text, length);

		text += length + !!end;
		if (!l.unified && !l.memory)
			continue;
		if (index - n < 2) {
			const char *root = l.unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
			size_t own = index == n ? l.length : 0;

			out->line = number;
			put(out->limit, root, l.path, own, l.unified ? "/memory.max" : "/memory.limit_in_bytes");
			put(out->use, root, l.path, own, l.unified ? "/memory.current" : "/memory.usage_in_bytes");
			return true;
		}
		n += 2;
	}
	return false;
}
