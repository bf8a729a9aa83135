/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - what stays resident over time when the requests of a trace (upa/trace.h) meet the policy of retain.h: a
 * region and a heap that are only counted, on the trace's own clock.
 *
 *   policy_replay            traces made here
 *   policy_replay FILE...    recorded ones; prints what came of each
 *
 * After each request, resident memory may exceed what was in use lately by the policy's percentage, or its floor, and
 * by what it does not look at (SLACK); and what is freed and wanted again soon must mostly still be there. Exit
 * status 1 if not. Every page is taken to be touched as soon as it is handed out.
 */
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <upa/trace.h>

#include "check.h"
#include "policy/retain.h"

#define MIB (1ll << 20)
#define PERCENT 10
#define HALF_LIFE 1000

/*
 * Each thread's account, and growth of the region by a sixteenth and the floor, of the heap by the floor, go unseen.
 */
#define SLACK(use, threads) ((use) / 16 + 2 * RETAIN_FLOOR + (threads)*2 * MIB)

#define MOST_THREADS 64
#define MOST_BLOCKS 65536

/* ---- a process that is only counted ------------------------------------------------------------------ */

static struct {
	int64_t now;                     /* milliseconds */
	int64_t allocated, retained;     /* the region's */
	int64_t heap, heap_kept;         /* the heap's */
	int64_t passed_on;               /* mapped by the kernel */
	int64_t reused, fresh, returned; /* bytes handed out again, for the first time, given back */
	int64_t peak;                    /* of use, as it should decay: computed here, apart from the policy */
	int64_t peak_at;
	size_t threads, blocks;
	struct {
		uint32_t id;
		int64_t untold;
	} thread[MOST_THREADS];
	struct {
		uint64_t address, bytes;
		bool served;
	} block[MOST_BLOCKS];
} world;

static struct retain retain;

static int64_t use(void)
{
	return world.allocated + world.heap + world.passed_on;
}
static int64_t resident(void)
{
	return use() + world.retained + world.heap_kept;
}
static int64_t now(void)
{
	return world.now;
}
static int64_t none(void)
{
	return 0;
}

static int64_t no_limit(int64_t at, int64_t kept)
{
	(void)at, (void)kept;
	return INT64_MAX;
}

static bool region(struct retain_region *out)
{
	*out = (struct retain_region){ world.allocated, world.retained, 0 };
	return true;
}

static void give_back_region(int64_t keep)
{
	CHECK(keep >= 0 && keep < world.retained, "keep=%" PRId64 " of %" PRId64, keep, world.retained);
	world.returned += world.retained - keep;
	world.retained = keep;
}

static void give_back_heap(int64_t keep)
{
	CHECK(keep >= 0 && keep < world.heap_kept, "keep=%" PRId64 " of %" PRId64, keep, world.heap_kept);
	world.returned += world.heap_kept - keep;
	world.heap_kept = keep;
	retain_heap(&retain, world.heap, world.heap_kept);
}

static const struct retain_hooks hooks = {
	.now = now,
	.resident = resident,
	.keepable = no_limit,
	.region = region,
	.uncounted = none,
	.give_back_heap = give_back_heap,
	.give_back_region = give_back_region,
};

static int64_t *untold(uint32_t id)
{
	size_t i = 0;

	while (i < world.threads && world.thread[i].id != id)
		i++;
	CHECK(i < MOST_THREADS, "threads=%zu", i);
	if (i == world.threads) {
		world.thread[i].id = id;
		world.thread[i].untold = 0;
		world.threads++;
	}
	return &world.thread[i].untold;
}

static void hand_out(int64_t bytes, int64_t *kept)
{
	int64_t again = bytes < *kept ? bytes : *kept;

	*kept -= again;
	world.reused += again;
	world.fresh += bytes - again;
}

static void map(const struct upa_trace_record *r, bool served)
{
	int64_t bytes = (int64_t)((r->bytes + 4095) & ~4095ull);

	if (world.blocks == MOST_BLOCKS)
		return;
	world.block[world.blocks].address = r->address;
	world.block[world.blocks].bytes = (uint64_t)bytes;
	world.block[world.blocks++].served = served;
	if (!served) {
		world.passed_on += bytes;
		return;
	}
	hand_out(bytes, &world.retained);
	world.allocated += bytes;
	retain_account(&retain, untold(r->thread), bytes);
}

/* Takes a range out of a block: what lies before and behind it stays. */
static void cut(size_t i, uint64_t from, uint64_t to, uint32_t thread)
{
	uint64_t start = world.block[i].address, end = start + world.block[i].bytes;
	bool served = world.block[i].served;
	int64_t bytes;

	from = from > start ? from : start;
	to = to < end ? to : end;
	bytes = (int64_t)(to - from);
	if (from > start)
		world.block[i].bytes = from - start;
	else
		world.block[i] = world.block[--world.blocks];
	if (to < end && world.blocks < MOST_BLOCKS) {
		world.block[world.blocks].address = to;
		world.block[world.blocks].bytes = end - to;
		world.block[world.blocks++].served = served;
	}
	if (!served) {
		world.passed_on -= bytes;
		return;
	}
	world.allocated -= bytes;
	world.retained += bytes;
	retain_account(&retain, untold(thread), -bytes);
}

static void unmap(const struct upa_trace_record *r)
{
	uint64_t to = r->address + ((r->bytes + 4095) & ~4095ull);

	for (size_t i = world.blocks; i--;)
		if (i < world.blocks && world.block[i].address < to &&
		    world.block[i].address + world.block[i].bytes > r->address)
			cut(i, r->address, to, r->thread);
}

/* As upkeep/heap.c does. */
static void move_break(int64_t by)
{
	int64_t allowance, again;

	if (by >= 0) {
		again = by < world.heap_kept ? by : world.heap_kept;
		hand_out(by, &world.heap_kept);
		world.heap += by;
		retain_heap(&retain, world.heap, world.heap_kept);
		if (by > again)
			retain_heap_grew(&retain, by - again);
		return;
	}
	retain_heap_shrinks(&retain);
	by = -by < world.heap ? by : -world.heap;
	world.heap += by;
	world.heap_kept -= by;
	retain_heap(&retain, world.heap, world.heap_kept);
	allowance = retain_heap_allowance(&retain);
	if (world.heap_kept > allowance + allowance / 8)
		give_back_heap(allowance);
}

/* ---- the bound ----------------------------------------------------------------------------------------- */

/* What was in use lately: it decays with the half-life that retain.h promises for what is asked often. */
static void pass(int64_t milliseconds)
{
	double left = pow(0.5, (double)(milliseconds - world.peak_at) / (1.39 * HALF_LIFE));

	world.now = milliseconds;
	world.peak_at = milliseconds;
	if (world.peak > use())
		world.peak = use() + (int64_t)((double)(world.peak - use()) * left);
}

static int64_t bound(void)
{
	int64_t share = world.peak / 100 * PERCENT;

	return world.peak + (share > RETAIN_FLOOR ? share : RETAIN_FLOOR) + SLACK(world.peak, (int64_t)world.threads);
}

static void replay(const char *name, const struct upa_trace_record *records, size_t n, bool verbose)
{
	int64_t start = 1000000, shown = -1;

	memset(&world, 0, sizeof(world));
	memset(&retain, 0, sizeof(retain));
	retain.hooks = &hooks;
	retain.percent = PERCENT;
	retain.half_life = HALF_LIFE;
	world.now = world.peak_at = start;
	for (size_t i = 0; i < n; i++) {
		const struct upa_trace_record *r = &records[i];
		int64_t at = start + (int64_t)(r->ns / 1000000);

		if (!r->kind || r->flags & UPA_TRACE_FAILED)
			continue;
		pass(at > world.now ? at : world.now);
		switch (r->kind) {
		case UPA_TRACE_MAP:
		case UPA_TRACE_RESIZED: map(r, r->flags & UPA_TRACE_SERVED); break;
		case UPA_TRACE_UNMAP:
		case UPA_TRACE_RESIZE: unmap(r); break;
		case UPA_TRACE_BREAK:
			move_break(r->flags & UPA_TRACE_SHRINKS ? -(int64_t)r->bytes : (int64_t)r->bytes);
			break;
		default: break;
		}
		world.peak = world.peak > use() ? world.peak : use();
		if (verbose && world.now / 100 != shown) {
			shown = world.now / 100;
			printf("%6" PRId64 " ms: in use %8" PRId64 " KiB, resident %8" PRId64 ", at most %8" PRId64
			       "\n",
			       world.now - start, use() >> 10, resident() >> 10, bound() >> 10);
		}
		CHECK(resident() <= bound(),
		      "%s: record=%zu ms=%" PRId64 " in use=%" PRId64 " resident=%" PRId64 " at most=%" PRId64, name, i,
		      world.now - start, use(), resident(), bound());
	}
	if (verbose)
		printf("%s: handed out again %" PRId64 " KiB, new %" PRId64 ", given back %" PRId64 "\n", name,
		       world.reused >> 10, world.fresh >> 10, world.returned >> 10);
}

/* ---- traces made here ------------------------------------------------------------------------------------ */

static struct upa_trace_record records[200000];
static size_t count;
static uint64_t clock_ns;

static void record(unsigned kind, unsigned flags, uint64_t address, uint64_t bytes, uint32_t thread)
{
	CHECK(count < sizeof(records) / sizeof(*records), "count=%zu", count);
	records[count++] = (struct upa_trace_record){ .ns = clock_ns,
						      .address = address,
						      .bytes = bytes,
						      .thread = thread,
						      .kind = (uint8_t)kind,
						      .flags = (uint8_t)flags };
}

static void begin(void)
{
	count = 0, clock_ns = 0;
}
static void wait_ms(uint64_t ms)
{
	clock_ns += ms * 1000000;
}

static void maps(size_t i, int64_t bytes)
{
	record(UPA_TRACE_MAP, UPA_TRACE_SERVED, (i + 1) << 32, (uint64_t)bytes, 1);
}
static void unmaps(size_t i, int64_t bytes)
{
	record(UPA_TRACE_UNMAP, UPA_TRACE_SERVED, (i + 1) << 32, (uint64_t)bytes, 1);
}

static void breaks(int64_t by)
{
	record(UPA_TRACE_BREAK, by < 0 ? UPA_TRACE_SHRINKS : 0, 0, (uint64_t)(by < 0 ? -by : by), 1);
}

/* What comes and goes is kept. */
static void saw(void)
{
	begin();
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < 25; i++)
			maps(i, 4 * MIB), wait_ms(1);
		for (size_t i = 0; i < 25; i++)
			unmaps(i, 4 * MIB), wait_ms(1);
	}
	replay("saw", records, count, false);
	CHECK(world.reused > 48 * 100 * MIB, "reused=%" PRId64 " fresh=%" PRId64, world.reused, world.fresh);
}

/* What was in use once is not kept for ever, though hardly anything happens. */
static void burst(void)
{
	begin();
	for (size_t i = 0; i < 100; i++)
		maps(i, 4 * MIB);
	wait_ms(500);
	for (size_t i = 5; i < 100; i++)
		unmaps(i, 4 * MIB);
	for (int round = 0; round < 200; round++) {
		maps(200, MIB), wait_ms(25);
		unmaps(200, MIB), wait_ms(25);
	}
	replay("burst", records, count, false);
	/* 20 MiB are in use; of 380 a hundredth is left after ten seconds. */
	CHECK(resident() < 20 * MIB + 380 * MIB / 100 + 4 * MIB, "resident=%" PRId64, resident());
	CHECK(world.returned > 350 * MIB, "returned=%" PRId64, world.returned);
}

/* Use goes over from mappings to the heap, and back. */
static void over_to_the_heap(void)
{
	begin();
	for (int round = 0; round < 10; round++) {
		for (size_t i = 0; i < 64; i++)
			maps(i, MIB), wait_ms(2);
		for (size_t i = 0; i < 64; i++)
			unmaps(i, MIB);
		for (size_t i = 0; i < 128; i++)
			breaks(MIB / 2), wait_ms(2);
		breaks(-64 * MIB);
	}
	replay("over to the heap", records, count, false);
}

/* A heap that trims itself all the time. */
static void trims(void)
{
	begin();
	breaks(40 * MIB);
	for (int round = 0; round < 2000; round++)
		breaks(3 * MIB), wait_ms(1), breaks(-3 * MIB), wait_ms(1);
	replay("trims", records, count, false);
	CHECK(world.fresh < 50 * MIB, "fresh=%" PRId64, world.fresh);
}

/* Random requests of all sizes, in bursts, by some threads. */
static void random_requests(uint64_t seed)
{
	static uint64_t bytes[1000];

	memset(bytes, 0, sizeof(bytes));
	begin();
	for (int step = 0; step < 100000; step++) {
		size_t i = (size_t)random_below(&seed, 1000);
		uint32_t thread = 1 + (uint32_t)random_below(&seed, 4);

		if (bytes[i]) {
			record(UPA_TRACE_UNMAP, UPA_TRACE_SERVED, (i + 1) << 32, bytes[i], thread);
			bytes[i] = 0;
		} else if (random_below(&seed, 100) < (step / 5000 % 2 ? 30 : 90)) {
			bytes[i] = 4096 << random_below(&seed, 11);
			record(UPA_TRACE_MAP, UPA_TRACE_SERVED, (i + 1) << 32, bytes[i], thread);
		}
		if (!random_below(&seed, 20))
			breaks((int64_t)random_below(&seed, 4 * MIB) - (int64_t)(step / 5000 % 2 ? 3 : 1) * MIB);
		clock_ns += random_below(&seed, 200000);
	}
	replay("random requests", records, count, false);
}

/* ---- recorded ones ----------------------------------------------------------------------------------------- */

static void replay_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	const struct upa_trace_header *h;
	struct stat st;
	uint64_t n;

	CHECK(fd >= 0 && !fstat(fd, &st) && st.st_size >= (off_t)sizeof(*h), "no trace=%s", path);
	h = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(h != MAP_FAILED && h->magic == UPA_TRACE_MAGIC && h->version == UPA_TRACE_VERSION, "no trace=%s", path);
	n = ((uint64_t)st.st_size - h->header_bytes) / sizeof(struct upa_trace_record);
	CHECK(h->records <= n, "records=%" PRIu64 " of %" PRIu64, h->records, n);
	replay(path, (const struct upa_trace_record *)((const char *)h + h->header_bytes), h->records ? h->records : n,
	       true);
	close(fd);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay_file(argv[i]);
	if (argc > 1)
		return 0;
	saw();
	burst();
	over_to_the_heap();
	trims();
	for (uint64_t seed = 1; seed <= 5; seed++)
		random_requests(seed);
	return 0;
}
