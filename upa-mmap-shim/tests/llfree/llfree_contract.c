/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llfree_contract.c - runs the contract vectors (see vectors/README.md) that the Java twin runs too.
 *
 *   llfree_contract [FILE...]          checks every answer; without a file, of all files in UPA_VECTORS
 *   llfree_contract --record FILE      prints FILE with the answers the code gives now, for review
 */
#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <string.h>

#include "check.h"

#define MAX_WORDS 8

static struct upa_llfree view;
static void *state;
static size_t state_bytes;

/* One line of a vector file, cut into words; `number` are those after the first as numbers. */
struct line {
	const char *file;
	int at;
	char *word[MAX_WORDS];
	int words;
	uint64_t number[MAX_WORDS];
};

_Noreturn static void bad_line(const struct line *l, const char *why)
{
	fprintf(stderr, "%s:%d: %s\n", l->file, l->at, why);
	exit(2);
}

static const struct {
	int error;
	const char *name;
} error_names[] = {
	{ -ENOMEM, "ENOMEM" }, { -EINVAL, "EINVAL" },   { -EBUSY, "EBUSY" },   { -EUCLEAN, "EUCLEAN" },
	{ -ERANGE, "ERANGE" }, { -EBADMSG, "EBADMSG" }, { -EPROTO, "EPROTO" },
};

static void say(char *out, size_t bytes, int64_t value)
{
	for (size_t i = 0; i < sizeof(error_names) / sizeof(error_names[0]); i++)
		if (value == error_names[i].error) {
			snprintf(out, bytes, "%s", error_names[i].name);
			return;
		}
	snprintf(out, bytes, "%" PRId64, value);
}

static void say_range(char *out, size_t bytes, int64_t page, uint64_t length)
{
	if (page >= 0)
		snprintf(out, bytes, "%" PRId64 " %" PRIu64, page, length);
	else if (page == -1)
		snprintf(out, bytes, "none");
	else
		say(out, bytes, page);
}

/* UPA_HOLDS_* by their names. */
static void say_contents(char *out, size_t bytes, uint32_t holds)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{ UPA_HOLDS_ABSENT, "absent" }, { UPA_HOLDS_ZEROED, "zeroed" },     { UPA_HOLDS_STALE, "stale" },
		{ UPA_HOLDS_LAZY, "lazy" },     { UPA_HOLDS_RESIDENT, "resident" },
	};
	size_t at = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (holds & names[i].flag) {
			at += (size_t)snprintf(out + at, bytes - at, "%s%s", at ? "+" : "", names[i].name);
			holds &= ~names[i].flag;
		}
	CHECK(!holds, "unknown contents=%#x", holds);
}

/* A page, and what it and those behind it hold if that was asked for. */
static void say_got(char *out, size_t bytes, int64_t result, uint64_t flags)
{
	int length;

	if (result < 0 || !(flags & UPA_GET_CONTENTS)) {
		say(out, bytes, result);
		return;
	}
	length = snprintf(out, bytes, "%" PRId64 " ", upa_llfree_page(result));
	say_contents(out + length, bytes - (size_t)length, upa_llfree_holds(result));
}

/* 0 or -errno: what the pages hold is what "contents" says of them. */
static int get_at(uint32_t slot, uint64_t first, uint64_t pages)
{
	int holds = upa_llfree_get_at(&view, slot, first, pages);

	if (holds < 0)
		return holds;
	CHECK(holds == upa_llfree_contents(&view, first, pages), "first=%" PRIu64 " pages=%" PRIu64 " holds=%#x", first,
	      pages, (unsigned)holds);
	return 0;
}

static int init(uint64_t pages, uint32_t slots)
{
	size_t bytes = upa_llfree_state_size(pages, slots);
	void *memory = map_state(bytes ? bytes : 1 << 16, 0);
	struct upa_llfree made;
	int error = upa_llfree_init(&made, memory, bytes ? bytes : 1 << 16, pages, slots);

	if (error) {
		munmap(memory, bytes ? bytes : 1 << 16);
		return error;
	}
	if (state)
		munmap(state, state_bytes);
	view = made;
	state = memory;
	state_bytes = bytes;
	return 0;
}

static int attach(void)
{
	struct upa_llfree other;
	int error = upa_llfree_attach(&other, state, state_bytes);

	if (!error)
		view = other;
	return error;
}

static int64_t fill(uint32_t slot, uint32_t order, uint32_t flags)
{
	int64_t count = 0;
	int64_t page;

	while ((page = upa_llfree_get(&view, slot, order, flags)) >= 0)
		count++;
	return page == -ENOMEM ? count : page;
}

static uint64_t hash(void)
{
	const unsigned char *p = state;
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = ((struct upa_llfree_header *)state)->slot_offset; i < state_bytes; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return h;
}

static bool stat_field(const char *name, uint64_t *value)
{
	struct upa_llfree_stats st;

	if (upa_llfree_get_stats(&view, &st))
		return false;
#define FIELD(f)                                                                                                       \
	do {                                                                                                           \
		if (!strcmp(name, #f)) {                                                                               \
			*value = st.f;                                                                                 \
			return true;                                                                                   \
		}                                                                                                      \
	} while (0)
	FIELD(pages);
	FIELD(free_pages);
	FIELD(free_children);
	FIELD(retained_pages);
	FIELD(gets);
	FIELD(got_pages);
	FIELD(puts);
	FIELD(put_pages);
	FIELD(failures);
	FIELD(searches);
	FIELD(lazy_pages);
#undef FIELD
	return false;
}

/* The word `peek` and `poke` mean, of 4 or 8 bytes. */
static void *word_at(const struct line *l, size_t *bytes)
{
	static const struct {
		const char *name;
		size_t bytes;
	} arrays[] = { { "slot", 8 }, { "group", 4 }, { "tree", 4 }, { "child", 4 }, { "bitmap", 8 } };
	char *base[] = { view.slot, view.group, view.tree, view.child, view.bitmap };
	char *end = (char *)state + state_bytes;

	for (int i = 0; i < 5; i++)
		if (!strcmp(l->word[1], arrays[i].name)) {
			*bytes = arrays[i].bytes;
			if (l->number[2] >= (size_t)(end - base[i]) / *bytes)
				bad_line(l, "index beyond the state");
			return base[i] + l->number[2] * *bytes;
		}
	bad_line(l, "no such array");
}

/* Does the operation of a line and puts the answer into out: empty if the operation has none. */
static void run(const struct line *l, char *out, size_t bytes)
{
	static const char *const state_names[] = { "absent", "zeroed", "stale", "mixed" };
	const uint64_t *n = l->number;
	const char *op = l->word[0];
	uint64_t value = 0;
	int64_t result;

#define IS(name, arguments)                                                                                            \
	(!strcmp(op, name) && (l->words == 1 + (arguments) || (bad_line(l, "wrong number of words"), 0)))
	*out = 0;
	if (IS("init", 2)) {
		result = init(n[1], (uint32_t)n[2]);
		if (result)
			say(out, bytes, result);
	} else if (IS("size", 2)) {
		say(out, bytes, (int64_t)upa_llfree_state_size(n[1], (uint32_t)n[2]));
	} else if (!state) {
		bad_line(l, "no init before");
	} else if (IS("get", 3)) {
		say_got(out, bytes, upa_llfree_get(&view, (uint32_t)n[1], (uint32_t)n[2], (uint32_t)n[3]), n[3]);
	} else if (IS("run", 3)) {
		say_got(out, bytes, upa_llfree_get_run(&view, (uint32_t)n[1], n[2], (uint32_t)n[3]), n[3]);
	} else if (IS("at", 3)) {
		say(out, bytes, get_at((uint32_t)n[1], n[2], n[3]));
	} else if (IS("fill", 3)) {
		say(out, bytes, fill((uint32_t)n[1], (uint32_t)n[2], (uint32_t)n[3]));
	} else if (IS("put", 4)) {
		say(out, bytes, upa_llfree_put_run(&view, (uint32_t)n[1], n[2], n[3], (uint32_t)n[4]));
	} else if (IS("putorder", 3)) {
		say(out, bytes, upa_llfree_put(&view, (uint32_t)n[1], n[2], (uint32_t)n[3]));
	} else if (IS("stale", 2)) {
		result = upa_llfree_next_stale(&view, n[1], n[2], &value);
		say_range(out, bytes, result, value);
	} else if (IS("nextstate", 3)) {
		result = upa_llfree_next_state(&view, n[1], n[2], (uint32_t)n[3], &value);
		say_range(out, bytes, result, value);
	} else if (IS("next", 3)) {
		result = upa_llfree_next(&view, n[1], n[2], (int)n[3], &value);
		say_range(out, bytes, result, value);
	} else if (IS("child", 1)) {
		result = upa_llfree_child_state(&view, n[1]);
		if (result < 0)
			say(out, bytes, result);
		else
			snprintf(out, bytes, "%s", state_names[result]);
	} else if (IS("taint", 2)) {
		say(out, bytes, upa_llfree_taint(&view, n[1], n[2]));
	} else if (IS("tainted", 2)) {
		say(out, bytes, upa_llfree_tainted(&view, n[1], n[2]));
	} else if (IS("setstale", 2)) {
		say(out, bytes, upa_llfree_set_stale(&view, n[1], n[2]));
	} else if (IS("setresident", 2)) {
		say(out, bytes, upa_llfree_set_resident(&view, n[1], n[2]));
	} else if (IS("resident", 1)) {
		say(out, bytes, upa_llfree_resident(&view, n[1]));
	} else if (IS("setlazy", 2)) {
		say(out, bytes, upa_llfree_set_lazy(&view, n[1], n[2]));
	} else if (IS("settle", 2)) {
		say(out, bytes, upa_llfree_settle(&view, n[1], n[2]));
	} else if (IS("lazy", 1)) {
		say(out, bytes, upa_llfree_lazy(&view, n[1]));
	} else if (IS("contents", 2)) {
		result = upa_llfree_contents(&view, n[1], n[2]);
		if (result < 0)
			say(out, bytes, result);
		else
			say_contents(out, bytes, (uint32_t)result);
	} else if (IS("touched", 0)) {
		say(out, bytes, (int64_t)upa_llfree_touched_children(&view));
	} else if (IS("stat", 1)) {
		if (!stat_field(l->word[1], &value))
			bad_line(l, "no such field");
		say(out, bytes, (int64_t)value);
	} else if (IS("drain", 0)) {
		upa_llfree_drain(&view);
	} else if (IS("validate", 0)) {
		char message[200];

		result = upa_llfree_validate(&view, message, sizeof(message));
		if (result)
			say(out, bytes, result);
	} else if (IS("recover", 0)) {
		say(out, bytes, upa_llfree_recover(&view));
	} else if (IS("attach", 0)) {
		result = attach();
		if (result)
			say(out, bytes, result);
	} else if (IS("peek", 2)) {
		size_t width = 0;

		memcpy(&value, word_at(l, &width), width ? width : 8);
		snprintf(out, bytes, "%#" PRIx64, width == 4 ? value & 0xffffffffu : value);
	} else if (IS("poke", 3)) {
		size_t width;
		void *word = word_at(l, &width);

		memcpy(word, &n[3], width);
	} else if (IS("hash", 0)) {
		snprintf(out, bytes, "%#" PRIx64, hash());
	} else {
		bad_line(l, "no such operation");
	}
#undef IS
}

/* Are the answers the same, numbers compared as numbers? */
static bool same(const char *expected, const char *got)
{
	char *e_end;
	char *g_end;

	while (*expected == ' ')
		expected++;
	if (!strcmp(expected, got))
		return true;
	return *expected && *got && strtoull(expected, &e_end, 0) == strtoull(got, &g_end, 0) && !*e_end && !*g_end;
}

static void cut(struct line *l, char *text)
{
	l->words = 0;
	for (char *w = strtok(text, " \t"); w; w = strtok(NULL, " \t")) {
		if (l->words == MAX_WORDS)
			bad_line(l, "too many words");
		l->number[l->words] = strtoull(w, NULL, 0);
		l->word[l->words++] = w;
	}
}

/* Returns the number of wrong answers. */
static int run_file(const char *file, bool record)
{
	FILE *f = fopen(file, "r");
	struct line l = { .file = file };
	char text[400];
	char original[400];
	int operations = 0;
	int wrong = 0;

	if (!f) {
		perror(file);
		exit(2);
	}
	while (fgets(text, sizeof(text), f)) {
		char *comment;
		char *equals;
		char answer[80];

		l.at++;
		text[strcspn(text, "\n")] = 0;
		memcpy(original, text, sizeof(original));
		comment = strchr(text, '#');
		if (comment)
			*comment = 0;
		for (size_t end = strlen(text); end && (text[end - 1] == ' ' || text[end - 1] == '\t'); end--)
			text[end - 1] = 0;
		equals = strchr(text, '=');
		if (equals)
			*equals++ = 0;
		cut(&l, text);
		if (!l.words) {
			if (record)
				puts(original);
			continue;
		}
		run(&l, answer, sizeof(answer));
		operations++;
		if (!same(equals ? equals : "", answer)) {
			wrong++;
			if (!record)
				fprintf(stderr, "%s:%d: %s   answered: %s\n", file, l.at, original,
					*answer ? answer : "(nothing)");
		}
		if (record) {
			for (int i = 0; i < l.words; i++)
				printf("%s%s", i ? " " : "", l.word[i]);
			printf("%s%s", *answer ? " = " : "", answer);
			comment = strchr(original, '#');
			printf("%s%s\n", comment ? "  " : "", comment ? comment : "");
		}
	}
	fclose(f);
	if (!record)
		printf("%s: %d operations, %d wrong\n", file, operations, wrong);
	CHECK(operations, "%s is empty", file);
	return wrong;
}

int main(int argc, char **argv)
{
	bool record = argc == 3 && !strcmp(argv[1], "--record");
	int wrong = 0;

	if (argc < 2) {
		glob_t files;

		CHECK(!glob(UPA_VECTORS "/*.vec", 0, NULL, &files), "no vectors in %s", UPA_VECTORS);
		for (size_t i = 0; i < files.gl_pathc; i++) {
#ifdef UPA_CHECKED
			/* The library asserts what this file breaks. */
			if (strstr(files.gl_pathv[i], "/overwritten.vec"))
				continue;
#endif
			wrong += run_file(files.gl_pathv[i], record);
		}
		globfree(&files);
	}
	for (int i = 1 + record; i < argc; i++)
		wrong += run_file(argv[i], record);
	if (state)
		munmap(state, state_bytes);
	return wrong && !record;
}
