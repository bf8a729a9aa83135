/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An owner of a paged region that checks what it holds. Every page has its number, a version and its writer in several
 * places; each thread knows the versions of its own pages. It obeys lines of its input, and answers each with a line.
 *
 *   paged_owner SOCKET PAGES FRAMES wait|fail
 *
 *   run THREADS STEPS SEED   touches at random, most of them in a tenth of the pages; writes, unmaps, maps: STEPS done
 *   check                    looks at all pages: how many are wrong
 *   touch PAGE               ok, or SIGBUS
 *   revoke                   the pager has no right any more
 *   stats                    of the module
 *   cost ROUNDS              nanoseconds of a touch of a page that is away, median and more
 *   dirty ROUNDS             the same with stores, after which contents are wrong
 *   trace KIND STEPS SEED    faults of reads by one thread: loop; hot (7 of 8 in a fifth); scan (a hot tenth, between
 *                            scans)
 *   end
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <time.h>

#include "paged_region.h"

#define MOST_THREADS 8

static struct paged_region region;
static uint64_t *versions; /* of each page; 0: reads zero */
static _Atomic uint64_t wrong;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* ---- what pages hold --------------------------------------------------------------------------- */

/* Some pages repeat one word, some are half random, the others are between. */
static uint64_t content(uint64_t page, uint64_t version, uint64_t i)
{
	uint64_t seed = page * 0x9e3779b97f4a7c15ull + version * 0xbf58476d1ce4e5b9ull + 1;

	switch ((page + version) % 8) {
	case 0: return (page << 32 | (version & 0xffffffff)) % 0xffffffffull * 0x100000001ull;
	case 1:
		seed += i / 2 * 0x94d049bb133111ebull;
		seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9ull;
		return seed ^ seed >> 31;
	default: return i % 4 ? page << 20 ^ version : seed ^ i / 64;
	}
}

static void write_page(uint64_t page, uint64_t version)
{
	volatile uint64_t *at = (void *)page_address(&region, page);

	for (uint64_t i = 0; i < PAGE_BYTES / 8; i++)
		at[i] = content(page, version, i);
	versions[page] = version;
}

static void complain(uint64_t page, uint64_t i, uint64_t got, uint64_t expected)
{
	if (atomic_fetch_add(&wrong, 1) < 5)
		fprintf(stderr,
			"# wrong: page=%" PRIu64 " at=%" PRIu64 " got=%" PRIx64 " expected=%" PRIx64 " version=%" PRIu64
			" word=%x\n",
			page, i, got, expected, versions[page], atomic_load(&region.words[page]));
}

static void check_page(uint64_t page, uint64_t step)
{
	volatile uint64_t *at = (void *)page_address(&region, page);

	for (uint64_t i = 0; i < PAGE_BYTES / 8; i += step) {
		uint64_t got = at[i], expected = versions[page] ? content(page, versions[page], i) : 0;

		if (got != expected) {
			complain(page, i, got, expected);
			return;
		}
	}
}

/* ---- orders ------------------------------------------------------------------------------------ */

struct work {
	uint64_t thread, threads, steps, seed;
};

static void *work(void *argument)
{
	struct work *w = argument;
	uint64_t own = region.pages / w->threads, state = w->seed * 2654435761u + w->thread + 1;

	for (uint64_t s = 0; s < w->steps; s++) {
		uint64_t r = next_random(&state);
		uint64_t among = r % 10 < 6 ? own / 10 : own;
		uint64_t page = (r >> 8) % among * w->threads + w->thread;

		check_page(page, 61);
		switch (r >> 40 & 63) {
		case 0:
			unmap_pages(&region, page, 1);
			map_pages(&region, page, 1);
			versions[page] = 0;
			break;
		case 1 ... 24: write_page(page, versions[page] + 1); break;
		}
	}
	return NULL;
}

static void run(uint64_t threads, uint64_t steps, uint64_t seed)
{
	pthread_t ids[MOST_THREADS];
	struct work w[MOST_THREADS];

	CHECK(threads >= 1 && threads <= MOST_THREADS);
	for (uint64_t t = 0; t < threads; t++) {
		w[t] = (struct work){ t, threads, steps, seed };
		CHECK(!pthread_create(&ids[t], NULL, work, &w[t]));
	}
	for (uint64_t t = 0; t < threads; t++)
		CHECK(!pthread_join(ids[t], NULL));
	printf("done wrong=%" PRIu64 "\n", atomic_load(&wrong));
}

static sigjmp_buf back;

static void caught(int signal_number)
{
	siglongjmp(back, signal_number);
}

static void touch(uint64_t page)
{
	int signal_number = sigsetjmp(back, 1);

	if (!signal_number) {
		signal(SIGBUS, caught);
		check_page(page, 61);
	}
	signal(SIGBUS, SIG_DFL);
	printf("%s wrong=%" PRIu64 "\n", signal_number ? "SIGBUS" : "ok", atomic_load(&wrong));
}

static void revoke_pager(void)
{
	struct upadev_pager request = { .flags = region.flags };

	CHECK(!ioctl(region.device, UPADEV_REVOKE, &request));
	printf("revoked\n");
}

static struct upadev_stats module_stats(void)
{
	struct upadev_stats s;

	CHECK(!ioctl(region.device, UPADEV_STATS, &s));
	return s;
}

static void say_stats(void)
{
	struct upadev_stats s = module_stats();
	uint64_t named = 0;

	for (uint64_t p = 0; p < region.pages; p++) {
		uint32_t word = atomic_load(&region.words[p]);

		named += word && (!(word & UPADEV_SHADOW_AWAY) || (word & WORD_KIND) == LEAVING);
	}
	printf("held=%llu in=%llu out=%llu waits=%llu taken=%" PRIu64 " named=%" PRIu64 " admitted=%d\n",
	       (unsigned long long)s.held, (unsigned long long)s.paged_in, (unsigned long long)s.paged_out,
	       (unsigned long long)s.away_faults, atomic_load(&region.header[0]), named, atomic_load(&region.admitted));
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* One touch of each page in turn: with fewer frames than pages, each is of a page that is away. */
static void cost(uint64_t rounds, bool writes)
{
	uint64_t most = rounds * region.pages, n = 0, all = nanoseconds();
	uint64_t *times = malloc(most * sizeof(*times));

	CHECK(times && most);
	for (uint64_t i = 0; i < most; i++) {
		uint64_t page = i % region.pages;
		bool away = atomic_load(&region.words[page]) & UPADEV_SHADOW_AWAY;
		uint64_t before = nanoseconds();

		if (writes)
			*(volatile uint64_t *)page_address(&region, page) = i;
		else
			*(volatile char *)page_address(&region, page);
		if (away)
			times[n++] = nanoseconds() - before;
	}
	all = nanoseconds() - all;
	qsort(times, n, sizeof(*times), by_value);
	printf("touches=%" PRIu64 " away=%" PRIu64 " median=%" PRIu64 " p90=%" PRIu64 " mean=%" PRIu64 "\n", most, n,
	       n ? times[n / 2] : 0, n ? times[n * 9 / 10] : 0, n ? all / n : 0);
	free(times);
}

/* Which page access s goes to. */
static uint64_t access_at(const char *kind, uint64_t s, uint64_t *state)
{
	uint64_t r = next_random(state);

	if (!strcmp(kind, "loop"))
		return s % region.pages;
	if (!strcmp(kind, "hot"))
		return (r & 15) < 14 ? (r >> 8) % (region.pages / 5) : (r >> 8) % region.pages;
	/* A hot tenth, and scans of the rest. */
	return (s / 64 & 1) ? s % region.pages : (r >> 8) % (region.pages / 10);
}

static void trace(const char *kind, uint64_t steps, uint64_t seed)
{
	uint64_t state = seed * 2654435761u + 1;
	struct upadev_stats before = module_stats(), after;

	for (uint64_t s = 0; s < steps; s++)
		*(volatile char *)page_address(&region, access_at(kind, s, &state));
	after = module_stats();
	printf("steps=%" PRIu64 " faults=%llu\n", steps, (unsigned long long)(after.away_faults - before.away_faults));
}

static bool obey(const char *line)
{
	unsigned long long a, b, c;
	char word[16];

	if (sscanf(line, "run %llu %llu %llu", &a, &b, &c) == 3) {
		run(a, b, c);
	} else if (sscanf(line, "trace %15s %llu %llu", word, &a, &b) == 3) {
		trace(word, a, b);
	} else if (sscanf(line, "touch %llu", &a) == 1) {
		touch(a);
	} else if (sscanf(line, "cost %llu", &a) == 1) {
		cost(a, false);
	} else if (sscanf(line, "dirty %llu", &a) == 1) {
		cost(a, true);
	} else if (!strcmp(line, "check\n")) {
		for (uint64_t p = 0; p < region.pages; p++)
			check_page(p, 7);
		printf("checked wrong=%" PRIu64 "\n", atomic_load(&wrong));
	} else if (!strcmp(line, "revoke\n")) {
		revoke_pager();
	} else if (!strcmp(line, "stats\n")) {
		say_stats();
	} else {
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	char line[128];

	if (argc != 5) {
		fprintf(stderr, "usage: paged_owner SOCKET PAGES FRAMES wait|fail\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_paged_region(&region, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	versions = calloc(region.pages, sizeof(*versions));
	CHECK(versions);
	map_pages(&region, 0, region.pages);
	listen_for_pagers(&region, argv[1], strcmp(argv[4], "wait") ? 0 : UPADEV_PAGER_WAIT);
	printf("listening\n");
	while (fgets(line, sizeof(line), stdin) && obey(line))
		continue;
	return 0;
}
