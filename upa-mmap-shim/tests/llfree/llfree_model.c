/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llfree_model.c - random operations against a plain array with one byte per page. What a get returns must be free,
 * aligned and lie where the contract wants it; a get that fails must have had no room; every page that holds old bytes
 * must be reported as such to who gets it, and no page without memory.
 *
 *   llfree_model [--full] [--seed N]   many seeds, or one
 *   llfree_model --record N            one small run as a vector file, for vectors/random-*.vec
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "check.h"
#include "llfree_plain.h"
#include "llfree_record.h"

static uint64_t seed;
static uint64_t rng;
static uint64_t made[4]; /* operations, gets, gets that failed for good reason, gets in an untidy place */

static uint64_t below(uint64_t n)
{
	return random_below(&rng, n);
}
static bool one_in(uint64_t n)
{
	return below(n) == 0;
}
static uint64_t lesser(uint64_t x, uint64_t y)
{
	return x < y ? x : y;
}

/* What next_stale says of pages just taken, against what they hold. */
static void check_content(uint64_t first, uint64_t n)
{
	uint64_t p = first;

	while (p < first + n) {
		uint64_t length = 0;
		int64_t stale = upa_llfree_next_stale(&a, p, first + n - p, &length);
		uint64_t from = stale < 0 ? first + n : (uint64_t)stale;

		if (stale < 0)
			note("stale %" PRIu64 " %" PRIu64 " = none", p, first + n - p);
		else
			note("stale %" PRIu64 " %" PRIu64 " = %" PRId64 " %" PRIu64, p, first + n - p, stale, length);
		CHECK(stale == -1 || (from >= p && length && from + length <= first + n),
		      "seed=%" PRIu64 " stale=%" PRId64 " length=%" PRIu64, seed, stale, length);
		for (; p < from; p++)
			CHECK(content[p] != OLD, "seed=%" PRIu64 " page=%" PRIu64 " old bytes handed out as zero", seed,
			      p);
		for (; p < from + length; p++)
			CHECK(content[p] != NO_MEMORY,
			      "seed=%" PRIu64 " page=%" PRIu64 " has no memory and is reported stale", seed, p);
	}
}

/* What is said of all pages just taken at once. */
static void check_contents(uint64_t first, uint64_t n)
{
	int contents = upa_llfree_contents(&a, first, n);
	uint32_t holds = (uint32_t)contents;

	note("contents %" PRIu64 " %" PRIu64 " = %s", first, n, contents_name(holds));
	CHECK(contents > 0, "seed=%" PRIu64 " contents=%d", seed, contents);
	for (uint64_t p = first; p < first + n; p++) {
		uint32_t must = content[p] == OLD ? UPA_HOLDS_STALE : content[p] == NO_MEMORY ? UPA_HOLDS_ABSENT : 0;

		must |= may_vanish[p] ? UPA_HOLDS_LAZY : 0;
		CHECK((holds & must) == must && (!(holds & UPA_HOLDS_RESIDENT) || populated[p]),
		      "seed=%" PRIu64 " page=%" PRIu64 " contents=%s", seed, p, contents_name(holds));
		/* Its holder writes to it, or frees it untouched into a child that stays lazy. */
		may_vanish[p] = 0;
	}
}

/* A get may say more than there is of pages in one child, but for zeros; never less. */
static int64_t got(int64_t result, uint64_t n, uint32_t flags)
{
	uint32_t holds = upa_llfree_holds(result), contents;

	if (result < 0 || !(flags & UPA_GET_CONTENTS))
		return result;
	contents = (uint32_t)upa_llfree_contents(&a, (uint64_t)upa_llfree_page(result), n);
	CHECK(holds == contents || (!(flags & UPA_GET_ZEROS) && (holds & contents) == contents),
	      "seed=%" PRIu64 " flags=%u said=%#x contents=%#x", seed, flags, holds, contents);
	return upa_llfree_page(result);
}

static void took(int64_t page, uint64_t n)
{
	uint64_t first = (uint64_t)page;

	CHECK(first < pages && n <= pages - first, "seed=%" PRIu64 " page=%" PRId64 " n=%" PRIu64, seed, page, n);
	for (uint64_t p = first; p < first + n; p++) {
		CHECK(!held[p], "seed=%" PRIu64 " page=%" PRIu64 " is held already", seed, p);
		held[p] = 1;
		written[p] = 0;
	}
	check_content(first, n);
	check_contents(first, n);
	for (uint64_t c = first / UPA_CHILD_PAGES; c <= (first + n - 1) / UPA_CHILD_PAGES; c++)
		if (upa_llfree_resident(&a, c * UPA_CHILD_PAGES))
			for (uint64_t p = c * UPA_CHILD_PAGES; p < lesser((c + 1) * UPA_CHILD_PAGES, pages); p++)
				CHECK(populated[p], "seed=%" PRIu64 " page=%" PRIu64 " is not resident", seed, p);
	if (one_in(2))
		for (uint64_t p = first; p < first + n; p++)
			if (!one_in(4)) {
				written[p] = 1;
				content[p] = OLD;
			}
}

static void op_get(void)
{
	uint32_t slot = (uint32_t)below(8);
	uint32_t order = (uint32_t)(one_in(2) ? below(10) : below(4));
	uint32_t flags = (uint32_t)below(8);
	int64_t page = upa_llfree_get(&a, slot, order, flags);

	note("get %u %u %u = %s", slot, order, flags, got_name(page, flags));
	page = got(page, 1ull << order, flags);
	made[page >= 0 ? 1 : 2]++;
	if (page >= 0) {
		CHECK(page % (1 << order) == 0, "seed=%" PRIu64 " page=%" PRId64 " order=%u", seed, page, order);
		took(page, 1ull << order);
	} else {
		CHECK(page == -ENOMEM && !room(1ull << order, 1ull << order, false),
		      "seed=%" PRIu64 " order=%u result=%" PRId64, seed, order, page);
	}
}

/*
 * Where there are that many free pages side by side: how many lack memory at the best of their starts? That is asked
 * only if no slot reserves a tree, and a search looks at all there is.
 */
static uint64_t fewest_absent(uint64_t n)
{
	uint64_t fewest = n;

	if (pages > 200 * n || one_in(2))
		return n;
	upa_llfree_drain(&a);
	note("drain");
	for (uint64_t p = 0; p < pages; p += like(p))
		if (!held[p] && like(p) >= n)
			fewest = lesser(fewest, absent_at(p, n));
	return fewest;
}

static void op_run(void)
{
	uint32_t slot = (uint32_t)below(8);
	uint64_t n = 1 + (one_in(3) ? below(pages) : one_in(2) ? below(5000) : below(600));
	uint32_t flags = (uint32_t)below(16);
	uint64_t fewest;
	int64_t page;

	if (pages > UPA_TREE_PAGES && one_in(4))
		n = pages > UPA_GROUP_PAGES && one_in(3) ? UPA_GROUP_PAGES : UPA_TREE_PAGES * (1 + below(3));
	fewest = fits(n, flags) ? fewest_absent(n) : n;
	page = upa_llfree_get_run(&a, slot, n, flags);
	note("run %u %" PRIu64 " %u = %s", slot, n, flags, got_name(page, flags));
	page = got(page, n, flags);
	made[page >= 0 ? 1 : 2]++;
	if (page < 0) {
		CHECK(page == -ENOMEM && !room(n, 1, false), "seed=%" PRIu64 " run=%" PRIu64 " result=%" PRId64, seed,
		      n, page);
		return;
	}
	made[3] += page % UPA_CHILD_PAGES + n > UPA_CHILD_PAGES && page % UPA_CHILD_PAGES;
	if (n <= UPA_CHILD_PAGES && page % UPA_CHILD_PAGES + n > UPA_CHILD_PAGES)
		CHECK(is_at_border((uint64_t)page, n, flags) || !room(n, 1, true),
		      "seed=%" PRIu64 " run=%" PRIu64 " page=%" PRId64 " crosses a child", seed, n, page);
	if (n > UPA_CHILD_PAGES && page % UPA_CHILD_PAGES && (!fits(n, flags) || lacks_most((uint64_t)page, n)))
		CHECK(!room(n, UPA_CHILD_PAGES, false),
		      "seed=%" PRIu64 " run=%" PRIu64 " page=%" PRId64 " starts within a child", seed, n, page);
	if (fits(n, flags))
		CHECK(absent_at((uint64_t)page, n) <= fewest || (n >= UPA_TREE_PAGES && fewest > n - UPA_CHILD_PAGES),
		      "seed=%" PRIu64 " run=%" PRIu64 " page=%" PRId64 " lacks memory of more than %" PRIu64 " pages",
		      seed, n, page, fewest);
	took(page, n);
}

/* 0 or -EBUSY; what the pages hold is what is to be asked for later, too. */
static int get_at(uint32_t slot, uint64_t first, uint64_t n)
{
	int holds = upa_llfree_get_at(&a, slot, first, n);

	if (holds < 0)
		return holds;
	CHECK(holds == upa_llfree_contents(&a, first, n), "seed=%" PRIu64 " first=%" PRIu64 " n=%" PRIu64 " holds=%#x",
	      seed, first, n, (unsigned)holds);
	return 0;
}

static void op_at(void)
{
	uint32_t slot = (uint32_t)below(8);
	uint64_t first = below(pages);
	uint64_t n = 1 + below(one_in(3) ? pages - first : held[first] ? lesser(40, pages - first) : like(first));
	int error;

	if (one_in(4)) {
		uint64_t unit = one_in(2) ? UPA_CHILD_PAGES : one_in(2) ? UPA_TREE_PAGES : UPA_GROUP_PAGES;

		first -= first % unit;
		n = lesser(unit, pages - first);
	}
	error = get_at(slot, first, n);
	note("at %u %" PRIu64 " %" PRIu64 " = %s", slot, first, n, name(error));
	if (error) {
		CHECK(error == -EBUSY && (held[first] || like(first) < n),
		      "seed=%" PRIu64 " first=%" PRIu64 " n=%" PRIu64 " error=%d", seed, first, n, error);
		return;
	}
	took((int64_t)first, n);
}

/* Of children wholly in a range all pages have been seen to. */
static void settle(uint64_t first, uint64_t n)
{
	for (uint64_t c = (first + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES; (c + 1) * UPA_CHILD_PAGES <= first + n; c++)
		lazy[c] = 0;
}

static void put(uint64_t first, uint64_t n)
{
	uint32_t slot = (uint32_t)below(8);
	uint32_t flags = (uint32_t)below(4);
	int error;

	for (uint64_t p = first; p < first + n && flags == UPA_PUT_UNTOUCHED; p++)
		if (written[p])
			flags = 0;
	error = upa_llfree_put_run(&a, slot, first, n, flags);
	note("put %u %" PRIu64 " %" PRIu64 " %u = %s", slot, first, n, flags, name(error));
	CHECK(!error, "seed=%" PRIu64 " first=%" PRIu64 " n=%" PRIu64 " error=%d", seed, first, n, error);
	for (uint64_t p = first; p < first + n; p++) {
		held[p] = 0;
		if (flags != UPA_PUT_UNTOUCHED)
			content[p] = flags == UPA_PUT_ABSENT ? NO_MEMORY : flags == UPA_PUT_ZEROED ? ZERO : OLD;
		if (flags == UPA_PUT_ABSENT)
			populated[p] = 0;
		else if (flags == UPA_PUT_ZEROED)
			populated[p] = 1;
	}
	for (uint64_t c = first / UPA_CHILD_PAGES; c <= (first + n - 1) / UPA_CHILD_PAGES; c++) {
		uint64_t start = c * UPA_CHILD_PAGES;

		if (!held[start] && like(start) >= UPA_CHILD_PAGES)
			tainted[c] = 0;
	}
	if (flags != UPA_PUT_UNTOUCHED)
		settle(first, n);
}

static void op_put(void)
{
	uint64_t p = below(pages);
	uint64_t n;

	for (int i = 0; !held[p] && i < 200; i++)
		p = below(pages);
	if (!held[p])
		return;
	if (one_in(2))
		while (p && held[p - 1])
			p--;
	n = like(p);
	put(p, one_in(3) ? n : 1 + below(one_in(2) ? n : lesser(n, 700)));
}

/* Frees a range of which a part is free: nothing may change. */
static void op_misuse(void)
{
	uint64_t first = below(pages);
	uint64_t n = 1 + below(pages - first);
	bool whole = held[first] && like(first) >= n;
	uint32_t slot = (uint32_t)below(8);
	int error;

	if (whole)
		return;
	error = upa_llfree_put_run(&a, slot, first, n, 0);
	note("put %u %" PRIu64 " %" PRIu64 " 0 = %s", slot, first, n, name(error));
	CHECK(error == -EINVAL, "seed=%" PRIu64 " first=%" PRIu64 " n=%" PRIu64 " error=%d", seed, first, n, error);
}

static void op_next(void)
{
	uint64_t first = below(pages);
	uint64_t n = 1 + below(pages - first);
	int want_free = (int)below(2);
	uint64_t p = first;
	uint64_t length = 0;
	int64_t found = upa_llfree_next(&a, first, n, want_free, &length);

	while (p < first + n && held[p] == want_free)
		p++;
	CHECK(found == (p == first + n ? -1 : (int64_t)p),
	      "seed=%" PRIu64 " first=%" PRIu64 " n=%" PRIu64 " found=%" PRId64, seed, first, n, found);
	if (found >= 0)
		CHECK(length == lesser(like(p), first + n - p), "seed=%" PRIu64 " page=%" PRIu64 " length=%" PRIu64,
		      seed, p, length);
}

/* Marks a child of which a page is held, or declares whole held children resident. */
static void op_mark(void)
{
	uint64_t p = below(pages);
	uint64_t c = p / UPA_CHILD_PAGES;

	if (!held[p])
		return;
	if (one_in(2)) {
		upa_llfree_taint(&a, p, 1);
		note("taint %" PRIu64 " 1 = 0", p);
		tainted[c] = 1;
	} else {
		uint64_t n = like(p);

		upa_llfree_set_resident(&a, p, n);
		note("setresident %" PRIu64 " %" PRIu64 " = 0", p, n);
		memset(populated + p, 1, n);
	}
	/* A last child that is not whole keeps its mark. */
	c = below(pages) / UPA_CHILD_PAGES;
	if ((c + 1) * UPA_CHILD_PAGES <= pages)
		CHECK(upa_llfree_tainted(&a, c * UPA_CHILD_PAGES, 1) == tainted[c], "seed=%" PRIu64 " child=%" PRIu64,
		      seed, c);
}

/* Says of free pages that their memory may vanish; or of held ones that they hold old bytes. */
static void op_lazy(void)
{
	uint64_t p = below(pages);
	uint64_t n = 1 + below(like(p));
	uint32_t slot = (uint32_t)below(8);
	int error;

	if (held[p]) {
		note("setstale %" PRIu64 " %" PRIu64 " = 0", p, n);
		CHECK(!upa_llfree_set_stale(&a, p, n), "seed=%" PRIu64 " page=%" PRIu64, seed, p);
		memset(content + p, OLD, n);
		memset(written + p, 1, n);
		settle(p, n);
		return;
	}
	error = get_at(slot, p, n);
	note("at %u %" PRIu64 " %" PRIu64 " = %s", slot, p, n, name(error));
	note("setlazy %" PRIu64 " %" PRIu64 " = 0", p, n);
	note("put %u %" PRIu64 " %" PRIu64 " %u = 0", slot, p, n, UPA_PUT_UNTOUCHED);
	CHECK(!error && !upa_llfree_set_lazy(&a, p, n) && !upa_llfree_put_run(&a, slot, p, n, UPA_PUT_UNTOUCHED),
	      "seed=%" PRIu64 " page=%" PRIu64 " n=%" PRIu64, seed, p, n);
	for (uint64_t i = p; i < p + n; i++)
		may_vanish[i] = content[i] != NO_MEMORY;
	for (uint64_t c = p / UPA_CHILD_PAGES; c <= (p + n - 1) / UPA_CHILD_PAGES; c++) {
		lazy[c] = 1;
		if (!held[c * UPA_CHILD_PAGES] && like(c * UPA_CHILD_PAGES) >= UPA_CHILD_PAGES)
			tainted[c] = 0;
	}
}

/* Free pages of a child that its state says have memory. */
static uint64_t retained_in(uint64_t c)
{
	uint64_t end = (c + 1) * UPA_CHILD_PAGES < pages ? (c + 1) * UPA_CHILD_PAGES : pages;
	int state = upa_llfree_child_state(&a, c * UPA_CHILD_PAGES);
	uint64_t n = 0;

	for (uint64_t p = c * UPA_CHILD_PAGES; p < end; p++) {
		uint64_t length;

		n += !held[p] && state != (int)UPA_ABSENT &&
		     (state != (int)UPA_MIXED || upa_llfree_next_stale(&a, p, 1, &length) >= 0);
	}
	return n;
}

/* Sums over children, some of which a word of their tree or group may tell of. */
static void check_sums(const struct upa_llfree_stats *st)
{
	uint64_t retained = 0, free = 0;

	for (uint64_t c = 0; c * UPA_CHILD_PAGES < pages; c++) {
		retained += retained_in(c);
		free += (c + 1) * UPA_CHILD_PAGES <= pages && !held[c * UPA_CHILD_PAGES] &&
			like(c * UPA_CHILD_PAGES) >= UPA_CHILD_PAGES;
	}
	CHECK(st->retained_pages == retained && st->free_children == free,
	      "seed=%" PRIu64 " retained=%" PRIu64 " model=%" PRIu64 " free_children=%" PRIu64 " model=%" PRIu64, seed,
	      st->retained_pages, retained, st->free_children, free);
}

static void check_all(void)
{
	struct upa_llfree_stats st;
	uint64_t free_pages = 0;
	uint64_t with_memory = 0;
	uint64_t vanishing = 0;

	check_valid(&a);
	upa_llfree_get_stats(&a, &st);
	for (uint64_t p = 0; p < pages; p++) {
		free_pages += !held[p];
		with_memory += !held[p] && content[p] != NO_MEMORY;
		vanishing += may_vanish[p];
	}
	for (uint64_t c = 0; c * UPA_CHILD_PAGES < pages; c++)
		CHECK(upa_llfree_lazy(&a, c * UPA_CHILD_PAGES) == lazy[c], "seed=%" PRIu64 " child=%" PRIu64 " lazy=%d",
		      seed, c, lazy[c]);
	CHECK(st.lazy_pages >= vanishing && st.lazy_pages <= st.retained_pages,
	      "seed=%" PRIu64 " lazy_pages=%" PRIu64 " model=%" PRIu64 " retained_pages=%" PRIu64, seed, st.lazy_pages,
	      vanishing, st.retained_pages);
	CHECK(st.free_pages == free_pages, "seed=%" PRIu64 " free_pages=%" PRIu64 " model=%" PRIu64, seed,
	      st.free_pages, free_pages);
	CHECK(st.retained_pages >= with_memory, "seed=%" PRIu64 " retained=%" PRIu64 " model=%" PRIu64, seed,
	      st.retained_pages, with_memory);
	check_sums(&st);
	CHECK(st.got_pages - st.put_pages == pages - free_pages, "seed=%" PRIu64 " got=%" PRIu64 " put=%" PRIu64, seed,
	      st.got_pages, st.put_pages);
}

static void one_operation(void)
{
	static bool filling;
	uint64_t draw = below(100);

	if (one_in(50))
		filling = one_in(2);

	if (draw < (filling ? 30 : 20))
		op_get();
	else if (draw < (filling ? 45 : 30))
		op_run();
	else if (draw < (filling ? 52 : 35))
		op_at();
	else if (draw < (filling ? 75 : 85))
		op_put();
	else if (draw < 88)
		op_misuse();
	else if (draw < 93)
		op_next();
	else if (draw < 95)
		op_mark();
	else if (draw < 97)
		op_lazy();
	else if (draw < 98) {
		int64_t wrong = upa_llfree_recover(&a);

		note("recover = %" PRId64, wrong);
		CHECK(!wrong, "seed=%" PRIu64 " wrong=%" PRId64, seed, wrong);
	} else {
		upa_llfree_drain(&a);
		note("drain");
	}
}

static void one_seed(int operations)
{
	static const uint64_t scale[] = { 70, 600, 3000, 10000, 40000, 300000 };
	uint32_t slots;
	size_t bytes;
	void *state;

	rng = seed;
	rng = random_next(&rng);
	pages = 1 + below(scale[record ? 3 : one_in(16) ? 5 : below(5)]);
	if (record)
		pages += 8192;
	if (one_in(2))
		pages = (pages + UPA_CHILD_PAGES - 1) & ~(uint64_t)(UPA_CHILD_PAGES - 1);
	slots = 1 + (uint32_t)below(5);
	bytes = upa_llfree_state_size(pages, slots);
	state = map_state(bytes, 0);
	CHECK(!upa_llfree_init(&a, state, bytes, pages, slots), "pages=%" PRIu64, pages);
	note("init %" PRIu64 " %u", pages, slots);
	held = calloc(pages, 1);
	content = calloc(pages, 1);
	written = calloc(pages, 1);
	populated = calloc(pages, 1);
	may_vanish = calloc(pages, 1);
	tainted = calloc(pages / UPA_CHILD_PAGES + 1, 1);
	lazy = calloc(pages / UPA_CHILD_PAGES + 1, 1);
	if (pages > 50000)
		operations /= 4;
	for (int i = 0; i < operations; i++) {
		one_operation();
		made[0]++;
		if (i % 32 == 0)
			check_all();
	}
	check_all();
	for (uint64_t p = 0; p < pages; p++)
		if (held[p])
			put(p, like(p));
	check_all();
	CHECK(upa_llfree_get_at(&a, 0, 0, pages) >= 0, "seed=%" PRIu64 " the whole range is not free", seed);
	note("at 0 0 %" PRIu64 " = 0", pages);
	took(0, pages);
	put(0, pages);
	check_all();
	note("validate");
	if (record) {
		uint64_t h = 0xcbf29ce484222325ull;

		for (size_t i = ((struct upa_llfree_header *)state)->slot_offset; i < bytes; i++)
			h = (h ^ ((unsigned char *)state)[i]) * 0x100000001b3ull;
		note("hash = %#" PRIx64, h);
	}
	free(held);
	free(content);
	free(written);
	free(populated);
	free(may_vanish);
	free(tainted);
	free(lazy);
	munmap(state, bytes);
}

int main(int argc, char **argv)
{
	uint64_t seeds = argc == 2 && !strcmp(argv[1], "--full") ? 5000 : 200;
	uint64_t first = 1;

	if (argc == 3 && (!strcmp(argv[1], "--seed") || !strcmp(argv[1], "--record"))) {
		record = !strcmp(argv[1], "--record");
		first = strtoull(argv[2], NULL, 0);
		seeds = 1;
	}
	if (record)
		printf("# A random run whose answers agreed with a plain bitmap: llfree_model --record %" PRIu64 "\n",
		       first);
	for (seed = first; seed < first + seeds; seed++)
		one_seed(record ? 700 : 1000);
	if (!record)
		printf("seeds %" PRIu64 "..%" PRIu64 " passed: %" PRIu64 " operations, %" PRIu64 " gets, %" PRIu64
		       " rightly without room, %" PRIu64 " across children\n",
		       first, first + seeds - 1, made[0], made[1], made[2], made[3]);
	return 0;
}
