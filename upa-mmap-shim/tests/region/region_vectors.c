/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_vectors.c - runs the contract vectors of the region (see vectors/region/README.md) on the back end that
 * UPA_BACKEND names. The Java twin runs the same files.
 *
 *   region_vectors [FILE...]    without a file, all files in UPA_VECTORS
 */
#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include <upa/region.h>

#include "test_backend.h"
#include "check.h"
#include "units.h"

#define MAX_WORDS 10
#define MAX_BLOCKS 64

struct block {
	char name[24];
	char *at;
	uint64_t bytes;
};

struct run {
	const char *file;
	int line;
	struct upa_region *region;
	uint64_t bytes;
	struct block blocks[MAX_BLOCKS];
	int count;
	int operations;
};

/* One line, cut into words: the operation, its arguments, and the answer that is expected. */
struct operation {
	char *word[MAX_WORDS];
	int words;
	char *expected;
};

_Noreturn static void fail(const struct run *r, const struct operation *op, const char *what, const char *got)
{
	fprintf(stderr, "%s:%d:", r->file, r->line);
	for (int i = 0; i < op->words; i++)
		fprintf(stderr, " %s", op->word[i]);
	fprintf(stderr, " = %s: %s %s\n", op->expected, what, got);
	exit(1);
}

/* ---- words ------------------------------------------------------------------------------------ */

static uint64_t number(const struct run *r, const struct operation *op, const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (*end == 'K' || *end == 'M')
		n *= *end++ == 'K' ? KIB : MIB;
	if (*end || !*text)
		fail(r, op, "not a number:", text);
	return n;
}

static uint64_t argument(const struct run *r, const struct operation *op, int i)
{
	if (i >= op->words)
		fail(r, op, "too few words", "");
	return number(r, op, op->word[i]);
}

static uint32_t flags_from(const struct run *r, const struct operation *op, int i)
{
	uint32_t flags = 0;

	for (; i < op->words; i++) {
		if (!strcmp(op->word[i], "zeros"))
			flags |= UPA_MAP_ZEROS;
		else if (!strcmp(op->word[i], "faulted"))
			flags |= UPA_MAP_FAULTED;
		else if (!strcmp(op->word[i], "inplace"))
			flags |= UPA_MAP_INPLACE;
		else
			flags |= (uint32_t)number(r, op, op->word[i]);
	}
	return flags;
}

static struct block *find(struct run *r, const char *name)
{
	for (int i = 0; i < r->count; i++)
		if (!strcmp(r->blocks[i].name, name))
			return &r->blocks[i];
	return NULL;
}

static struct block *block(struct run *r, const struct operation *op, const char *name)
{
	struct block *b = find(r, name);

	if (!b)
		fail(r, op, "no such block:", name);
	return b;
}

static char *place(struct run *r, const struct operation *op, const char *text)
{
	char name[24];
	const char *plus = strchr(text, '+');

	if (*text == '@')
		return (char *)upa_region_base(r->region) + number(r, op, text + 1);
	if (!plus || (size_t)(plus - text) >= sizeof(name))
		fail(r, op, "not a place:", text);
	memcpy(name, text, (size_t)(plus - text));
	name[plus - text] = 0;
	return block(r, op, name)->at + number(r, op, plus + 1);
}

/* ---- answers ---------------------------------------------------------------------------------- */

static const char *error_name(int error)
{
	switch (error) {
	case 0: return "ok";
	case EINVAL: return "EINVAL";
	case ENOMEM: return "ENOMEM";
	case EBUSY: return "EBUSY";
	default: return strerror(error);
	}
}

static void expect(const struct run *r, const struct operation *op, const char *got)
{
	if (strcmp(op->expected, got))
		fail(r, op, "got", got);
}

static void expect_amount(const struct run *r, const struct operation *op, int64_t got)
{
	const char *text = op->expected;
	bool most = !strncmp(text, "<=", 2), least = !strncmp(text, ">=", 2);
	char shown[32];
	uint64_t wanted;

	if (got < 0) {
		expect(r, op, error_name((int)-got));
		return;
	}
	snprintf(shown, sizeof(shown), "%" PRId64, got);
	text += most || least ? 2 : 0;
	text += strspn(text, " ");
	if (!strchr("0123456789", *text) || !*text)
		fail(r, op, "got", shown);
	wanted = number(r, op, text);
	if (most ? (uint64_t)got > wanted : least ? (uint64_t)got < wanted : (uint64_t)got != wanted)
		fail(r, op, "got", shown);
}

/* A block that a call has returned: where may it be? */
static void check_block(struct run *r, const struct operation *op, const struct block *b)
{
	uint64_t rounded = (b->bytes + PAGE - 1) / PAGE * PAGE;
	uint64_t offset = (uint64_t)(b->at - (char *)upa_region_base(r->region));

	if ((uintptr_t)b->at % PAGE || offset >= r->bytes || rounded > r->bytes - offset)
		fail(r, op, "misplaced:", b->name);
	for (int i = 0; i < r->count; i++) {
		const struct block *other = &r->blocks[i];
		uint64_t end = (other->bytes + PAGE - 1) / PAGE * PAGE;

		if (other != b && end && b->at < other->at + end && other->at < b->at + rounded)
			fail(r, op, "overlaps", other->name);
	}
}

static struct block *name_block(struct run *r, const struct operation *op, const char *name, char *at, uint64_t bytes)
{
	struct block *b = find(r, name);

	if (b && b->bytes)
		fail(r, op, "still mapped:", name);
	if (!b && r->count == MAX_BLOCKS)
		fail(r, op, "too many blocks", "");
	if (!b)
		b = &r->blocks[r->count++];
	snprintf(b->name, sizeof(b->name), "%s", name);
	b->at = at;
	b->bytes = bytes;
	check_block(r, op, b);
	return b;
}

/* ---- operations ------------------------------------------------------------------------------- */

static void run_validate(struct run *r, const struct operation *op)
{
	char message[200] = "";

	if (upa_region_validate(r->region, message, sizeof(message)))
		fail(r, op, "invalid:", message);
}

static void end_region(struct run *r, const struct operation *op)
{
	if (!r->region)
		return;
	run_validate(r, op);
	CHECK(!upa_region_destroy(r->region), "destroy");
	r->region = NULL;
	r->count = 0;
}

static void run_region(struct run *r, const struct operation *op)
{
	struct upa_region_options options = { .bytes = argument(r, op, 1),
					      .backend = test_backend(),
					      .max_deferred_bytes = UINT64_MAX };
	uint64_t pool = options.bytes;
	bool no_huge = false;
	int error;

	end_region(r, op);
	for (int i = 2; i < op->words; i++) {
		if (!strcmp(op->word[i], "nohuge"))
			no_huge = true;
		else if (!strcmp(op->word[i], "pool"))
			pool = argument(r, op, ++i);
		else if (!strcmp(op->word[i], "deferred"))
			options.max_deferred_bytes = argument(r, op, ++i);
		else
			fail(r, op, "no such option:", op->word[i]);
	}
	if (options.backend)
		options.max_pool_bytes = pool;
	else if (no_huge)
		options.flags = UPA_REGION_NOHUGEPAGE;
	error = create_region_with(&r->region, &options);
	if (error == -EINVAL && options.flags) {
		/* A kernel without huge pages. */
		options.flags = 0;
		error = create_region_with(&r->region, &options);
	}
	if (error)
		r->region = NULL;
	else
		r->bytes = upa_region_bytes(r->region);
	expect(r, op, error_name(-error));
}

static void run_map(struct run *r, const struct operation *op)
{
	uint64_t bytes = argument(r, op, 2);
	char *at;

	errno = 0;
	at = upa_region_map(r->region, bytes, flags_from(r, op, 3));
	expect(r, op, error_name(at ? 0 : errno));
	if (at)
		name_block(r, op, op->word[1], at, bytes);
}

static void run_map_at(struct run *r, const struct operation *op)
{
	char *at = place(r, op, op->word[2]);
	uint64_t bytes = argument(r, op, 3);
	int error = upa_region_map_at(r->region, at, bytes, flags_from(r, op, 4));

	expect(r, op, error_name(-error));
	if (!error)
		name_block(r, op, op->word[1], at, bytes);
}

/* Of a block that is freed in parts, only what lies before the first of them is looked at for overlaps from then on. */
static void run_unmap(struct run *r, const struct operation *op)
{
	struct block *b = block(r, op, op->word[1]);
	bool part = op->words > 2;
	uint64_t from = part ? argument(r, op, 2) : 0, bytes = part ? argument(r, op, 3) : b->bytes;
	int error = upa_region_unmap(r->region, b->at + from, bytes);

	expect(r, op, error_name(-error));
	if (!error && from < b->bytes)
		b->bytes = from;
}

static void run_unmap_at(struct run *r, const struct operation *op)
{
	expect(r, op, error_name(-upa_region_unmap(r->region, place(r, op, op->word[1]), argument(r, op, 2))));
}

static void run_resize(struct run *r, const struct operation *op)
{
	struct block *b = block(r, op, op->word[1]);
	uint64_t bytes = argument(r, op, 2);
	char *at;

	errno = 0;
	at = upa_region_resize(r->region, b->at, b->bytes, bytes, flags_from(r, op, 3));
	if (!at || strcmp(op->expected, "ok"))
		expect(r, op, !at ? error_name(errno) : at == b->at ? "kept" : "moved");
	if (!at)
		return;
	b->at = at;
	b->bytes = bytes;
	check_block(r, op, b);
}

static void run_resize_at(struct run *r, const struct operation *op)
{
	char *at = place(r, op, op->word[1]);

	errno = 0;
	at = upa_region_resize(r->region, at, argument(r, op, 2), argument(r, op, 3), 0);
	expect(r, op, error_name(at ? 0 : errno));
}

/* fill, check and zero. */
static void run_contents(struct run *r, const struct operation *op)
{
	char *at = block(r, op, op->word[1])->at;
	uint64_t from = argument(r, op, 2), end = from + argument(r, op, 3);
	bool fills = !strcmp(op->word[0], "fill"), zero = !strcmp(op->word[0], "zero");
	uint64_t seed = zero ? 0 : argument(r, op, 4);

	for (uint64_t o = from; o < end; o += 8) {
		uint64_t *word = (uint64_t *)(at + o), wanted = zero ? 0 : seed ^ o;
		char shown[64];

		if (fills) {
			*word = wanted;
		} else if (*word != wanted) {
			snprintf(shown, sizeof(shown), "%#" PRIx64 " at %#" PRIx64, *word, o);
			fail(r, op, "found", shown);
		}
	}
}

static void run_aligned(struct run *r, const struct operation *op)
{
	if ((uintptr_t)block(r, op, op->word[1])->at % argument(r, op, 2))
		fail(r, op, "misaligned:", op->word[1]);
}

static void run_same(struct run *r, const struct operation *op)
{
	if (block(r, op, op->word[1])->at != block(r, op, op->word[2])->at)
		fail(r, op, "elsewhere:", op->word[2]);
}

static void run_resident(struct run *r, const struct operation *op)
{
	static unsigned char pages[1 << 18];
	char *at = block(r, op, op->word[1])->at + argument(r, op, 2);
	uint64_t bytes = argument(r, op, 3);
	int64_t n = 0;

	CHECK(bytes / PAGE <= sizeof(pages) && !mincore(at, bytes, pages), "errno=%d", errno);
	for (uint64_t i = 0; i < bytes / PAGE; i++)
		n += pages[i] & 1 ? (int64_t)PAGE : 0;
	expect_amount(r, op, n);
}

static void run_give_back(struct run *r, const struct operation *op)
{
	expect_amount(r, op, upa_region_give_back(r->region, argument(r, op, 1)));
}

static void run_populate(struct run *r, const struct operation *op)
{
	expect_amount(r, op, upa_region_populate(r->region, argument(r, op, 1)));
}

static void run_clear(struct run *r, const struct operation *op)
{
	expect_amount(r, op, upa_region_clear(r->region, argument(r, op, 1)));
}

static void run_stat(struct run *r, const struct operation *op)
{
	struct upa_region_stats st;
	const struct {
		const char *name;
		const uint64_t *value;
	} fields[] = {
		{ "capacity_bytes", &st.capacity_bytes },
		{ "allocated_bytes", &st.allocated_bytes },
		{ "retained_bytes", &st.retained_bytes },
		{ "maps", &st.maps },
		{ "unmaps", &st.unmaps },
		{ "failures", &st.failures },
		{ "cleared_bytes", &st.cleared_bytes },
		{ "moved_bytes", &st.moved_bytes },
		{ "given_back_bytes", &st.given_back_bytes },
	};

	CHECK(!upa_region_get_stats(r->region, &st), "stats");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (op->words == 2 && !strcmp(op->word[1], fields[i].name)) {
			expect_amount(r, op, (int64_t)*fields[i].value);
			return;
		}
	fail(r, op, "no such field", "");
}

static const struct {
	const char *name;
	void (*run)(struct run *r, const struct operation *op);
} operations[] = {
	{ "region", run_region },       { "map", run_map },
	{ "map_at", run_map_at },       { "unmap", run_unmap },
	{ "unmap_at", run_unmap_at },   { "resize", run_resize },
	{ "resize_at", run_resize_at }, { "fill", run_contents },
	{ "check", run_contents },      { "zero", run_contents },
	{ "aligned", run_aligned },     { "same", run_same },
	{ "resident", run_resident },   { "give_back", run_give_back },
	{ "populate", run_populate },   { "clear", run_clear },
	{ "stat", run_stat },           { "validate", run_validate },
};

static void run_operation(struct run *r, const struct operation *op)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (!strcmp(op->word[0], operations[i].name)) {
			if (!r->region && operations[i].run != run_region)
				fail(r, op, "no region before", "");
			operations[i].run(r, op);
			r->operations++;
			return;
		}
	fail(r, op, "no such operation", "");
}

/* ---- files ------------------------------------------------------------------------------------ */

/* Is a line with this tag for the back end of this run? */
static bool concerns(const struct run *r, const char *tag)
{
	uint32_t backend = test_backend();

	if (!strcmp(tag, "linear:"))
		return backend == UPA_BACKEND_LINEAR;
	if (!strcmp(tag, "device:"))
		return backend != UPA_BACKEND_LINEAR;
	if (!strcmp(tag, "guarded:"))
		return backend == UPA_BACKEND_PTE;
	if (!strcmp(tag, "raw:"))
		return backend == UPA_BACKEND_PTE_RAW;
	fprintf(stderr, "%s:%d: no such back end: %s\n", r->file, r->line, tag);
	exit(1);
}

/* Cuts a line into an operation. False if there is none, or not for this back end. */
static bool cut(const struct run *r, struct operation *op, char *line)
{
	char *comment = strchr(line, '#'), *equals, *word;

	if (comment)
		*comment = 0;
	equals = strstr(line, " = ");
	op->expected = "ok";
	if (equals) {
		*equals = 0;
		op->expected = equals + 3 + strspn(equals + 3, " \t");
		for (char *end = op->expected + strlen(op->expected); end > op->expected && strchr(" \t\n", end[-1]);)
			*--end = 0;
	}
	op->words = 0;
	for (word = strtok(line, " \t\n"); word; word = strtok(NULL, " \t\n")) {
		if (!op->words && word[strlen(word) - 1] == ':') {
			if (!concerns(r, word))
				return false;
			continue;
		}
		if (op->words == MAX_WORDS)
			fail(r, op, "too many words", "");
		op->word[op->words++] = word;
	}
	return op->words;
}

static void run_file(const char *file)
{
	struct run r = { .file = file };
	struct operation op = { .words = 0, .expected = "ok" };
	char line[256];
	FILE *f = fopen(file, "r");

	CHECK(f, "%s: %s", file, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		r.line++;
		if (cut(&r, &op, line))
			run_operation(&r, &op);
	}
	fclose(f);
	op.words = 0;
	end_region(&r, &op);
	CHECK(r.operations, "%s is empty", file);
	printf("%s: %d operations\n", file, r.operations);
}

int main(int argc, char **argv)
{
	const char *folder = getenv("UPA_VECTORS");
	char pattern[512];
	glob_t files;

	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	if (argc > 1)
		return 0;
	snprintf(pattern, sizeof(pattern), "%s/*.vec", folder ? folder : UPA_REGION_VECTORS);
	CHECK(!glob(pattern, 0, NULL, &files), "no vectors: %s", pattern);
	for (size_t i = 0; i < files.gl_pathc; i++)
		run_file(files.gl_pathv[i]);
	globfree(&files);
	return 0;
}
