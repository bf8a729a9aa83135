/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_vectors.c - runs the contract vectors of the region (see vectors/region/README.md) on the back end that
 * UPA_BACKEND names. The Java twin runs the same files.
 *
 *   region_vectors [FILE...]        without a file, all files in UPA_VECTORS
 *   region_vectors --random SEED    prints random vectors, with the answers of a model
 */
#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include <upa/region.h>

#include "backend.h"
#include "check.h"

#define PAGE 4096ull
#define KIB 1024ull
#define MIB (1024 * KIB)
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

/* ---- random vectors --------------------------------------------------------------------------- */

#define MODEL_BLOCKS 12
#define MODEL_PAGES 1200u      /* of a block */
#define MODEL_LIVE_PAGES 4096u /* of all, a quarter of the region */
#define ZERO 0u
#define UNKNOWN 1u /* seeds are larger */

struct model {
	uint64_t seed;
	uint64_t live, maps;
	uint32_t next_seed;
	struct {
		uint32_t pages;
		uint32_t holds[MODEL_PAGES];
	} block[MODEL_BLOCKS];
};

static uint32_t below(struct model *m, uint32_t n)
{
	return (uint32_t)random_below(&m->seed, n);
}

/* Mostly what programs ask for; at times more than a child. */
static uint32_t random_pages(struct model *m)
{
	switch (below(m, 5)) {
	case 0: return below(m, MODEL_PAGES) + 1;
	case 1: return 512 + below(m, 3) - 1;
	case 2: return below(m, 100) + 1;
	default: return below(m, 20) + 1;
	}
}

static void set_holds(struct model *m, int b, uint32_t from, uint32_t end, uint32_t what)
{
	for (uint32_t i = from; i < end; i++)
		m->block[b].holds[i] = what;
}

static void print_fill(struct model *m, int b)
{
	uint32_t pages = m->block[b].pages;
	uint32_t from = below(m, pages), n = below(m, pages - from) + 1;

	m->next_seed += 2;
	set_holds(m, b, from, from + n, m->next_seed);
	printf("fill b%d %uK %uK %#x\n", b, from * 4, n * 4, m->next_seed);
}

/* All that is known of a block. */
static void print_checks(const struct model *m, int b)
{
	const uint32_t *holds = m->block[b].holds;

	for (uint32_t i = 0, end; i < m->block[b].pages; i = end) {
		for (end = i + 1; end < m->block[b].pages && holds[end] == holds[i];)
			end++;
		if (holds[i] == ZERO)
			printf("zero b%d %uK %uK\n", b, i * 4, (end - i) * 4);
		else if (holds[i] != UNKNOWN)
			printf("check b%d %uK %uK %#x\n", b, i * 4, (end - i) * 4, holds[i]);
	}
}

static void print_map(struct model *m, int b)
{
	static const char *const flags[] = { "", " zeros", " faulted", " zeros faulted" };
	uint32_t pages = random_pages(m), f = below(m, 4);

	if (m->live + pages > MODEL_LIVE_PAGES)
		return;
	printf("map b%d %u%s\n", b, pages * 4096 - below(m, 2) * below(m, 4096), flags[f]);
	m->block[b].pages = pages;
	set_holds(m, b, 0, pages, f & 1 ? ZERO : UNKNOWN);
	m->live += pages;
	m->maps++;
	if (below(m, 4))
		print_fill(m, b);
}

static void print_resize(struct model *m, int b)
{
	uint32_t old = m->block[b].pages, pages = random_pages(m);
	bool zeros = below(m, 2);

	if (m->live - old + pages > MODEL_LIVE_PAGES)
		return;
	printf("resize b%d %uK%s\n", b, pages * 4, zeros ? " zeros" : "");
	if (pages > old)
		set_holds(m, b, old, pages, zeros ? ZERO : UNKNOWN);
	m->maps += pages > old;
	m->live += pages - old;
	m->block[b].pages = pages;
	print_checks(m, b);
}

static void print_unmap(struct model *m, int b)
{
	uint32_t pages = m->block[b].pages;

	print_checks(m, b);
	if (pages > 2 && below(m, 2)) {
		/* A hole, taken again at once, or refused. */
		uint32_t from = below(m, pages - 1) + 1, n = below(m, pages - from) + 1;

		printf("map_at hole b%d+%uK %uK = EBUSY\n", b, from * 4, n * 4);
		printf("unmap b%d %uK %uK\n", b, from * 4, n * 4);
		printf("unmap_at b%d+%uK %uK = EINVAL\n", b, (from - 1) * 4, (n + 1) * 4);
		printf("map_at hole b%d+%uK %uK zeros\nzero hole 0 %uK\nunmap hole\n", b, from * 4, n * 4, n * 4);
		m->maps++;
		printf("unmap b%d 0 %uK\n", b, from * 4);
		if (from + n < pages)
			printf("unmap b%d %uK %uK\n", b, (from + n) * 4, (pages - from - n) * 4);
	} else {
		printf("unmap b%d\nunmap_at b%d+0 4K = EINVAL\n", b, b);
	}
	m->live -= pages;
	m->block[b].pages = 0;
}

static void print_random(uint64_t seed)
{
	static const char *const deferred[] = { "", " deferred 0", " deferred 1M", " deferred 6M" };
	struct model *m = calloc(1, sizeof(*m));
	/* Every page may have a frame, or fewer: then nothing can be populated ahead for sure. */
	bool few = seed % 2;

	CHECK(m, "memory");
	m->seed = seed;
	m->next_seed = 0x10001;
	printf("# region_vectors --random %" PRIu64 "\n", seed);
	printf("region 64M%s%s\n", few ? " pool 20M" : "", deferred[seed / 2 % 4]);
	for (int step = 0; step < 250; step++) {
		int b = (int)below(m, MODEL_BLOCKS);

		switch (below(m, 12)) {
		case 0: printf("give_back %uM = >= 0\n", below(m, 32)); break;
		case 1: printf("clear %uM = >= 0\n", below(m, 16)); break;
		case 2: printf("%spopulate %uM = >= 0\n", few ? "linear: " : "", below(m, 16)); break;
		case 3:
			printf("stat allocated_bytes = %uK\nstat maps = %u\n", (unsigned)m->live * 4,
			       (unsigned)m->maps);
			break;
		case 4: printf("validate\n"); break;
		case 5:
		case 6:
			if (m->block[b].pages)
				print_resize(m, b);
			break;
		default: (m->block[b].pages ? print_unmap : print_map)(m, b);
		}
	}
	for (int b = 0; b < MODEL_BLOCKS; b++)
		print_checks(m, b);
	printf("stat allocated_bytes = %uK\nstat maps = %u\nstat failures = 0\n", (unsigned)m->live * 4,
	       (unsigned)m->maps);
	free(m);
}

int main(int argc, char **argv)
{
	const char *folder = getenv("UPA_VECTORS");
	char pattern[512];
	glob_t files;

	if (argc == 3 && !strcmp(argv[1], "--random")) {
		print_random(strtoull(argv[2], NULL, 0));
		return 0;
	}
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
