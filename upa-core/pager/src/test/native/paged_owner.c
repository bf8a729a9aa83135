/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An owner of a paged region that checks what it holds. Every page has its number, a version and its writer in several
 * places; each thread knows the versions of its own pages. It obeys lines of its input, and answers each with a line.
 *
 *   paged_owner PAGES FRAMES
 *
 *   admit PATH MEMORY POLICY STORES wait|fail
 *                            by upa_region_admit(): admitted 0, or its error
 *   pair PATH MEMORY POLICY STORES
 *                            the same by upa_region_admit_at(), over a connection of its own
 *   destroy                  the region
 *   run THREADS STEPS SEED   touches at random, most of them in a tenth of the pages; writes, unmaps, maps: STEPS done
 *   check                    looks at all pages: how many are wrong
 *   touch PAGE               ok, or SIGBUS
 *   revoke wait|fail         the pager has no right any more
 *   mistakes                 calls that must be refused: how many were not
 *   validate                 ok, or what is wrong
 *   stats                    of the module
 *   cost ROUNDS              nanoseconds of a touch of a page that is away, median and more
 *   dirty ROUNDS             the same with stores, after which contents are wrong
 *   trace KIND STEPS SEED    faults of reads by one thread: loop; hot (7 of 8 in a fifth); scan (a hot tenth, between
 *                            scans)
 *   end
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "region/device/device.h"
#include "region/device/paged.h"

#define MOST_THREADS 8

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			printf("failed %s:%d %s errno=%d\n", __FILE__, __LINE__, #condition, errno);                   \
			fflush(stdout);                                                                                \
			_exit(1);                                                                                      \
		}                                                                                                      \
	} while (0)

static struct upa_region *region;
static uint64_t region_pages;
static uint64_t *versions; /* of each page; 0: reads zero */
static _Atomic uint64_t wrong;

static char *page_at_number(uint64_t page)
{
	return (char *)upa_region_base(region) + page * PAGE_BYTES;
}

static uint32_t word_of(uint64_t page)
{
	return __atomic_load_n(&region->device->words[page], __ATOMIC_ACQUIRE);
}

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
	volatile uint64_t *at = (void *)page_at_number(page);

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
			page, i, got, expected, versions[page], word_of(page));
}

static void check_page(uint64_t page, uint64_t step)
{
	volatile uint64_t *at = (void *)page_at_number(page);

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
	uint64_t own = region_pages / w->threads, state = w->seed * 2654435761u + w->thread + 1;

	for (uint64_t s = 0; s < w->steps; s++) {
		uint64_t r = next_random(&state);
		uint64_t among = r % 10 < 6 ? own / 10 : own;
		uint64_t page = (r >> 8) % among * w->threads + w->thread;

		check_page(page, 61);
		switch (r >> 40 & 63) {
		case 0:
			CHECK(!upa_region_unmap(region, page_at_number(page), PAGE_BYTES));
			CHECK(!upa_region_map_at(region, page_at_number(page), PAGE_BYTES, UPA_MAP_ZEROS));
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

static struct upa_region_terms terms(const char *path, uint64_t memory, const char *policy, const char *stores,
				     bool waits)
{
	return (struct upa_region_terms){
		.memory_bytes = memory,
		.policy = policy,
		.stores = stores,
		.path = path,
		.flags = waits ? UPA_ADMIT_WAIT : 0,
	};
}

static void admit(const char *path, uint64_t memory, const char *policy, const char *stores, bool waits)
{
	struct upa_region_terms t = terms(path, memory, policy, stores, waits);

	printf("admitted %d\n", upa_region_admit(region, &t));
}

static void admit_over_own(const char *path, uint64_t memory, const char *policy, const char *stores)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct upa_region_terms t = terms(NULL, memory, policy, stores, false);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	CHECK(snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) < (int)sizeof(address.sun_path));
	CHECK(!connect(fd, (struct sockaddr *)&address, sizeof(address)));
	printf("admitted %d\n", upa_region_admit_at(region, fd, &t));
	close(fd);
}

static int expect(const char *what, int got, int expected)
{
	if (got != expected)
		fprintf(stderr, "# %s: got=%d expected=%d\n", what, got, expected);
	return got != expected;
}

#define EXPECT(call, expected) expect(#call, call, expected)

/* A region of another kind, whose calls are refused. */
static int refused_elsewhere(uint32_t backend)
{
	const struct upa_region_options o = {
		.bytes = 4 << 20, .backend = backend, .pool_bytes = 2 << 20, .max_pool_bytes = 2 << 20
	};
	struct upa_region_terms t = terms("/nobody", 2 << 20, NULL, NULL, false);
	struct upa_region *other;
	int bad = EXPECT(upa_region_create_with(&other, &o), 0);

	bad += EXPECT(upa_region_admit(other, &t), -EOPNOTSUPP);
	bad += EXPECT(upa_region_admit_at(other, 0, &t), -EOPNOTSUPP);
	bad += EXPECT(upa_region_revoke(other, 0), -EOPNOTSUPP);
	upa_region_destroy(other);
	return bad;
}

/* In a child the region is another process's. */
static int refused_in_child(void)
{
	struct upa_region_terms t = terms("/nobody", 2 << 20, NULL, NULL, false);
	int status;
	pid_t child = fork();

	if (!child)
		_exit(upa_region_admit(region, &t) != -EPERM || upa_region_revoke(region, 0) != -EPERM);
	return EXPECT(waitpid(child, &status, 0), child) + expect("in a child", status, 0);
}

/* All arguments that make no sense. Nobody was ever admitted, and nobody listens. */
static void mistakes(void)
{
	char longer[PAGED_REQUEST_BYTES + 1];
	struct upa_region_terms t = terms("/nobody", 2 << 20, NULL, NULL, false), good = t;
	struct upa_region_options both = { .bytes = 4 << 20, .backend = UPA_BACKEND_PTE, .max_pool_bytes = 2 << 20 };
	struct upa_region *other;
	int pair[2], bad = 0;
	char *first = upa_region_base(region);

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	bad += EXPECT(upa_region_admit(region, &t), -ENOENT);
	bad += EXPECT(upa_region_revoke(region, 0), -ENOENT);
	bad += EXPECT(upa_region_revoke(region, 2), -EINVAL);
	t.flags = 2, bad += EXPECT(upa_region_admit(region, &t), -EINVAL), t = good;
	t.memory_bytes = (1 << 20) - 1, bad += EXPECT(upa_region_admit(region, &t), -EINVAL), t = good;
	t.memory_bytes = 0, bad += EXPECT(upa_region_admit(region, &t), -EINVAL), t = good;
	t.policy = "clock\npolicy=fifo", bad += EXPECT(upa_region_admit(region, &t), -EINVAL), t = good;
	t.policy = "", bad += EXPECT(upa_region_admit(region, &t), -EINVAL), t = good;
	t.stores = "lz4\n", bad += EXPECT(upa_region_admit(region, &t), -EINVAL), t = good;
	t.policy = longer, bad += EXPECT(upa_region_admit(region, &t), -EINVAL), t = good;
	t.path = longer, bad += EXPECT(upa_region_admit(region, &t), -EINVAL), t = good;
	t.path = "", bad += EXPECT(upa_region_admit(region, &t), -EINVAL), t = good;
	bad += EXPECT(upa_region_admit_at(region, -1, &t), -EINVAL);
	bad += EXPECT(upa_region_admit_at(region, 1 << 20, &t), -EBADF);
	/* Who has nobody at the other end, or somebody who is no pager. */
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	CHECK(write(pair[1], "no", 2) == 2);
	bad += EXPECT(upa_region_admit_at(region, pair[0], &t), -EPROTO);
	CHECK(write(pair[1], &(uint64_t){ EINVAL }, 8) == 8);
	bad += EXPECT(upa_region_admit_at(region, pair[0], &t), -EINVAL);
	/* It goes away as soon as it has been greeted: the region has no pager then. */
	CHECK(write(pair[1], &(uint64_t){ 0 }, 8) == 8);
	CHECK(!shutdown(pair[1], SHUT_WR));
	bad += EXPECT(upa_region_admit_at(region, pair[0], &t), -EIO);
	close(pair[0]), close(pair[1]);
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	close(pair[1]);
	bad += EXPECT(upa_region_admit_at(region, pair[0], &t), -EPIPE);
	close(pair[0]);
	bad += refused_elsewhere(UPA_BACKEND_LINEAR) + refused_elsewhere(UPA_BACKEND_PTE) + refused_in_child();
	both.flags = UPA_REGION_PAGED | UPA_REGION_RECLAIM;
	bad += EXPECT(upa_region_create_with(&other, &both), -EINVAL);
	both.flags = UPA_REGION_PAGED, both.backend = UPA_BACKEND_LINEAR;
	bad += EXPECT(upa_region_create_with(&other, &both), -EINVAL);
	/* What such a region does not do. */
	bad += EXPECT(upa_region_taint(region, first, PAGE_BYTES), -EOPNOTSUPP);
	bad += EXPECT(upa_region_map_at(region, first, PAGE_BYTES, 0), -EBUSY);
	bad += EXPECT((int)upa_region_give_back(region, 0), 0);
	bad += EXPECT((int)upa_region_populate(region, 4 << 20), 0);
	bad += EXPECT((int)upa_region_clear(region, 4 << 20), 0);
	printf("mistakes not refused=%d\n", bad);
}

/* A block grows in place, moves, and shrinks. The rest of the region is free meanwhile. */
static void resize(void)
{
	uint64_t half = region_pages / 2, bad = 0;
	char *at = page_at_number(0), *moved;

	CHECK(!upa_region_unmap(region, page_at_number(16), (region_pages - 16) * PAGE_BYTES));
	at = upa_region_resize(region, at, 16 * PAGE_BYTES, 32 * PAGE_BYTES, UPA_MAP_INPLACE | UPA_MAP_ZEROS);
	bad += at != page_at_number(0);
	for (uint64_t i = 0; i < 32; i++)
		bad += i >= 16 && *(uint64_t *)page_at_number(i);
	for (uint64_t i = 0; i < 32; i += 2)
		*(uint64_t *)page_at_number(i) = 1000 + i;
	CHECK(!upa_region_map_at(region, page_at_number(32), PAGE_BYTES, 0));
	bad += upa_region_resize(region, at, 32 * PAGE_BYTES, 64 * PAGE_BYTES, UPA_MAP_INPLACE) != NULL;
	moved = upa_region_resize(region, at, 32 * PAGE_BYTES, half * PAGE_BYTES, UPA_MAP_ZEROS);
	CHECK(moved && moved != at);
	for (uint64_t i = 0; i < half; i++)
		bad += *(uint64_t *)(moved + i * PAGE_BYTES) != (i < 32 && i % 2 == 0 ? 1000 + i : 0);
	bad += upa_region_resize(region, moved, half * PAGE_BYTES, 8 * PAGE_BYTES, 0) != moved;
	CHECK(!upa_region_unmap(region, moved, 8 * PAGE_BYTES));
	CHECK(!upa_region_unmap(region, page_at_number(32), PAGE_BYTES));
	bad += upa_region_unmap(region, moved, PAGE_BYTES) != -EINVAL;
	CHECK(!upa_region_map_at(region, page_at_number(0), region_pages * PAGE_BYTES, 0));
	memset(versions, 0, region_pages * sizeof(*versions));
	printf("resized wrong=%" PRIu64 "\n", bad);
}

static void validate(void)
{
	char message[200];

	printf("%s\n", upa_region_validate(region, message, sizeof(message)) ? message : "ok");
}

static struct upadev_stats module_stats(void)
{
	struct upadev_stats s;

	CHECK(!ioctl(region->device->fd, UPADEV_STATS, &s));
	return s;
}

static void say_stats(void)
{
	struct upadev_stats s = module_stats();
	uint64_t named = 0;

	for (uint64_t p = 0; p < region_pages; p++) {
		uint32_t word = word_of(p);

		named += in_memory(word) || (word & PAGED_KIND) == PAGED_LEAVING;
	}
	printf("held=%llu in=%llu out=%llu waits=%llu taken=%" PRIu64 " named=%" PRIu64 "\n",
	       (unsigned long long)s.held, (unsigned long long)s.paged_in, (unsigned long long)s.paged_out,
	       (unsigned long long)s.away_faults, atomic_load(region->device->paging->header), named);
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
	uint64_t most = rounds * region_pages, n = 0, all = nanoseconds();
	uint64_t *times = malloc(most * sizeof(*times));

	CHECK(times && most);
	for (uint64_t i = 0; i < most; i++) {
		uint64_t page = i % region_pages;
		bool away = word_of(page) & UPADEV_SHADOW_AWAY;
		uint64_t before = nanoseconds();

		if (writes)
			*(volatile uint64_t *)page_at_number(page) = i;
		else
			*(volatile char *)page_at_number(page);
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
		return s % region_pages;
	if (!strcmp(kind, "hot"))
		return (r & 15) < 14 ? (r >> 8) % (region_pages / 5) : (r >> 8) % region_pages;
	/* A hot tenth, and scans of the rest. */
	return (s / 64 & 1) ? s % region_pages : (r >> 8) % (region_pages / 10);
}

static void trace(const char *kind, uint64_t steps, uint64_t seed)
{
	uint64_t state = seed * 2654435761u + 1;
	struct upadev_stats before = module_stats(), after;

	for (uint64_t s = 0; s < steps; s++)
		*(volatile char *)page_at_number(access_at(kind, s, &state));
	after = module_stats();
	printf("steps=%" PRIu64 " faults=%llu\n", steps, (unsigned long long)(after.away_faults - before.away_faults));
}

static bool obey(const char *line)
{
	char word[16], path[108], policy[64], stores[64];
	unsigned long long a, b, c;

	if (sscanf(line, "admit %107s %llu %63s %63s %15s", path, &a, policy, stores, word) == 5) {
		admit(path, a, policy, stores, !strcmp(word, "wait"));
	} else if (sscanf(line, "pair %107s %llu %63s %63s", path, &a, policy, stores) == 4) {
		admit_over_own(path, a, policy, stores);
	} else if (!strcmp(line, "destroy\n")) {
		printf("destroyed %d\n", upa_region_destroy(region));
	} else if (!strcmp(line, "mistakes\n")) {
		mistakes();
	} else if (!strcmp(line, "resize\n")) {
		resize();
	} else if (!strcmp(line, "validate\n")) {
		validate();
	} else if (sscanf(line, "run %llu %llu %llu", &a, &b, &c) == 3) {
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
		for (uint64_t p = 0; p < region_pages; p++)
			check_page(p, 7);
		printf("checked wrong=%" PRIu64 "\n", atomic_load(&wrong));
	} else if (sscanf(line, "revoke %15s", word) == 1) {
		printf("revoked %d\n", upa_region_revoke(region, strcmp(word, "wait") ? 0 : UPA_ADMIT_WAIT));
	} else if (!strcmp(line, "stats\n")) {
		say_stats();
	} else {
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct upa_region_options options = { .backend = UPA_BACKEND_PTE, .flags = UPA_REGION_PAGED };
	char line[512];

	if (argc != 3) {
		fprintf(stderr, "usage: paged_owner PAGES FRAMES\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	region_pages = strtoull(argv[1], NULL, 10);
	options.bytes = region_pages * PAGE_BYTES;
	options.max_pool_bytes = strtoull(argv[2], NULL, 10) * PAGE_BYTES;
	CHECK(!upa_region_create_with(&region, &options));
	versions = calloc(region_pages, sizeof(*versions));
	CHECK(versions);
	CHECK(upa_region_map(region, options.bytes, 0) == upa_region_base(region));
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin) && obey(line))
		continue;
	return 0;
}
