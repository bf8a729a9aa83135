/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the environment itself: a program may bring a getenv() of its own, as bash does, that is not ready yet. */
#define _GNU_SOURCE
#include "settings.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "report_target.h"
#include "mman/default_region.h"
#include "os/message.h"
#include "os/os.h"
#include "os/size.h"
#include "region/backend_name.h"

struct settings settings;

enum kind {
	SIZE, /* with suffixes K, M, G, T */
	NUMBER,
	SWITCH,
	BACKEND,
	TEXT,
	REPORT,
	PRINT,
	OTHERS, /* not the library's: it may be there, and has no field */
};

struct setting {
	const char *name; /* behind UPA_ */
	enum kind kind;
	size_t field; /* in struct settings */
	uint64_t least, most;
	uint64_t standard;
	const char *values; /* what it must be, to follow "is not" */
	const char *unset;  /* what holds without it; NULL: the number `standard` */
	const char *meaning;
};

#define FIELD(name) offsetof(struct settings, name)
#define IN_BYTES(name, least) SIZE, FIELD(name), least, DEFAULT_REGION_MOST, 0
#define ON_OFF(name, standard) SWITCH, FIELD(name), 0, 1, standard, "0 or 1", NULL
#define WORD(kind, field) kind, field, 0, 0, 0
#define NOT_OURS(of) OTHERS, 0, 0, 0, 0, "", "", of

/* clang-format off */
static const struct setting list[] = {
	{ "REGION_BYTES", IN_BYTES(region_bytes, 2ull << 20), "a size from 2M to 16T", "16 times the machine's memory",
	  "size of the region: addresses, not memory" },
	{ "LEAST_BYTES", IN_BYTES(least_bytes, 0), "a size up to 16T", NULL,
	  "requests below this size are the kernel's" },
	{ "RETAIN", NUMBER, FIELD(retain_percent), 0, 1000, 10, "a percentage from 0 to 1000", NULL,
	  "by how much resident memory may exceed its recent peak without UPA" },
	{ "DECAY_MS", NUMBER, FIELD(decay_ms), 0, 3600000, 1000, "a number of milliseconds from 0 to 3600000", NULL,
	  "half-life of the memory of how much was in use lately" },
	{ "BACKEND", WORD(BACKEND, FIELD(backend)), "linear, pte or pte-raw", "linear",
	  "where memory comes from: the kernel, or page frames of /dev/upa (for malloc)" },
	{ "POOL_BYTES", IN_BYTES(pool_bytes, 2ull << 20), "a size from 2M to 16T", "half of the machine's memory",
	  "page frames that pte and pte-raw may take" },
	{ "RECLAIM", ON_OFF(reclaim, 0),
	  "on pte, the kernel may take free page frames under memory pressure" },
	{ "BLOCKS", ON_OFF(blocks, 0), "on pte, 2 MiB are mapped by one entry where they can be; without RECLAIM" },
	{ "AGENT", ON_OFF(agent, 1),
	  "a thread gives back what a silent program keeps; it ends when there is nothing" },
	{ "STRICT", ON_OFF(strict, 0),
	  "memory that has been unmapped faults when it is touched; the heap is the kernel's" },
	{ "STATS", WORD(REPORT, 0), "0, 1, json, the absolute path of a file, or json:FILE", "0",
	  "a table, or a line of JSON, on standard error or in the file, when the process exits" },
	{ "STATS_REST", WORD(TEXT, FIELD(stats_rest)), "a file", "none",
	  "counts processes of which there is little to say (set by upa run)" },
	{ "TRACE", WORD(TEXT, FIELD(trace)), "a file", "none",
	  "file in which the process's page requests are recorded" },
	{ "PAGER", WORD(TEXT, FIELD(pager)), "a socket", "none",
	  "whose pager holds the region within its bound (set by upa run --policy)" },
	{ "PAGER_BYTES", IN_BYTES(pager_bytes, 0), "a size up to 16T", "0",
	  "that bound, when the program begins (set by upa run --policy)" },
	{ "REDIRECT", ON_OFF(redirect, 1),
	  "libc's own calls are served, not only those from outside libc" },
	{ "BRK", ON_OFF(brk, 1),
	  "what the heap that grows by brk() gives back is kept for its growth" },
	{ "UNCLEARED", ON_OFF(uncleared, 1),
	  "what libc's malloc() gets again is not cleared: it promises no zeros" },
	{ "HUGE", ON_OFF(huge, 1),
	  "huge pages where whole 2 MiB are purged and touched again, and huge pages are cheap" },
	{ "AHEAD", ON_OFF(ahead, 1),
	  "memory is populated before it is touched where blocks of about its size were used" },
	{ "OFF", ON_OFF(off, 0),
	  "serve nothing" },
	{ "LAUNCHED", NUMBER, FIELD(launched), 0, 1u << 22, UPA_NOT_LAUNCHED, "a process id", "none",
	  "the process that says if it gets nothing, or only part; 0: all (set by upa run)" },
	{ "SETTINGS", WORD(PRINT, 0), "print", "",
	  "print this list instead of running the program" },
	{ "DEFERRED_BYTES", NOT_OURS("of libupa.so: unmapped pages keep no more than this mapped on pte and pte-raw") },
	{ "FULL", NOT_OURS("of the project's tests: longer ones") },
	{ "DEBIAN_ARCHIVE", NOT_OURS("of the project's build: where Debian's packages come from") },
	{ "UBUNTU_ARCHIVE", NOT_OURS("of the project's build: where Ubuntu's packages come from") },
	{ "TEST_CONSTRUCTOR", NOT_OURS("of one of the project's tests") },
};
/* clang-format on */

#define SETTINGS (sizeof(list) / sizeof(*list))

static void *field_of(const struct setting *s)
{
	return (char *)&settings + s->field;
}

/* ---- printing ----------------------------------------------------------------------------------- */

static void print(void)
{
	for (const struct setting *s = list; s < list + SETTINGS; s++) {
		struct message m = { .length = 0 };

		if (s->kind == OTHERS)
			continue;
		message_text(&m, "UPA_");
		message_pad(&m, s->name, 15);
		message_text(&m, s->meaning);
		message_text(&m, "\n                   ");
		message_text(&m, s->values);
		if (!s->unset || *s->unset)
			message_text(&m, "; default: ");
		if (s->unset)
			message_text(&m, s->unset);
		else
			message_number(&m, s->standard, 0);
		message_text(&m, "\n");
		message_send(&m, 1);
	}
}

static void complain(const char *what, const char *is, const char *which, const char *so)
{
	struct message m = { .length = 0 };

	message_text(&m, "upa: ");
	message_foreign(&m, what);
	message_text(&m, is);
	message_text(&m, which);
	message_text(&m, "; ");
	message_text(&m, so);
	message_text(&m, "\n");
	message_send(&m, 2);
}

/* The variable is not in the list. */
static void complain_of_name(const char *entry, size_t length)
{
	char name[64] = "";

	strncat(name, entry, length < sizeof(name) ? length : sizeof(name) - 1);
	complain(name, " is none of ", "UPA's variables", "it is ignored");
}

/* ---- reading ------------------------------------------------------------------------------------ */

static const struct setting *find(const char *name, size_t length)
{
	for (const struct setting *s = list; s < list + SETTINGS; s++)
		if (!strncmp(s->name, name, length) && !s->name[length])
			return s;
	return NULL;
}

static bool take_report(const char *value)
{
	struct report_target target;

	if (!report_target_parse(value, &target))
		return false;
	settings.stats = target.wanted;
	settings.stats_json = target.json;
	settings.stats_file = target.file;
	return true;
}

/* False: the value makes no sense. */
static bool take(const struct setting *s, const char *value)
{
	int backend;
	uint64_t n;

	switch (s->kind) {
	case SIZE:
	case NUMBER:
	case SWITCH:
		if (!(s->kind == SIZE ? size_parse : number_parse)(value, s->most, &n) || n < s->least)
			return false;
		if (s->kind == SWITCH)
			*(bool *)field_of(s) = n;
		else
			*(uint64_t *)field_of(s) = n;
		return true;
	case BACKEND:
		backend = upa_backend_parse(value);
		if (backend < 0)
			return false;
		*(uint64_t *)field_of(s) = (uint64_t)backend;
		return true;
	case TEXT: *(const char **)field_of(s) = value; return true;
	case REPORT: return take_report(value);
	case PRINT:
		if (strcmp(value, "print"))
			return false;
		print();
		os_call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
		return true;
	case OTHERS: return true;
	}
	return false;
}

static void set_standards(void)
{
	for (const struct setting *s = list; s < list + SETTINGS; s++)
		if (s->kind == SWITCH)
			*(bool *)field_of(s) = s->standard;
		else if (s->kind == SIZE || s->kind == NUMBER || s->kind == BACKEND)
			*(uint64_t *)field_of(s) = s->standard;
}

void settings_read(void)
{
	uint32_t seen = 0;

	set_standards();
	for (char **entry = environ; entry && *entry; entry++) {
		const char *equals = strncmp(*entry, "UPA_", 4) ? NULL : strchr(*entry, '=');
		const struct setting *s;

		/* An empty value is none. */
		if (!equals || !equals[1])
			continue;
		s = find(*entry + 4, (size_t)(equals - *entry) - 4);
		if (!s)
			complain_of_name(*entry, (size_t)(equals - *entry));
		/* Of two of the same name the first counts. */
		else if (seen >> (s - list) & 1)
			continue;
		else if (!take(s, equals + 1))
			complain(*entry, " is not ", s->values, "its default holds");
		if (s)
			seen |= 1u << (s - list);
	}
}

_Static_assert(SETTINGS <= 32, "a bit of `seen` each");
