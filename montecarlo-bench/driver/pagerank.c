/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pagerank.c - upa-pagerank: PageRank over a graph that is larger than what the program may have in memory. Whose
 * memory it is, and how much may be resident, is the caller's business.
 *
 *   upa-pagerank MIB ITERATIONS SECONDS THREADS SEED
 *
 * The graph is a Kronecker graph with the initiator of Graph500 and GAPBS, as compressed sparse rows of MIB in all: for
 * each vertex where its row begins (8 bytes), for each edge the vertex from which it comes (4 bytes). A vertex has 22
 * to 46 edges on average; GAPBS' symmetric graphs have 32. Rows are made one by one, so that not all edges have to be
 * sorted: the edges of a row are independent of each other, and so are the bits of where an edge comes from.
 *
 * An iteration is GAPBS' pull: each vertex adds what the vertices that point at it contribute. Edges are read from
 * front to back, contributions at random. Vertices that point nowhere give their rank to all, so that ranks sum to 1.
 * Each thread has rows with as many edges as the others', and says by madvise() that it reads them in order. No
 * iteration begins after SECONDS, but for the first.
 *
 * Prints one line, `vertices N edges N iterations N ns_per_iteration X sum X checksum X build_ns N`, and ends with 1 if
 * the sum is not 1. The checksum is of all bits of the ranks, and is the same for any number of threads.
 *
 * Leskovec et al., Kronecker graphs: an approach to modeling networks, JMLR 2010. Beamer et al., The GAP benchmark
 * suite, 2015.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "paged.h"
#include "sampler.h"
#include "ticks.h"

#define MIB (1ull << 20)
#define MOST_THREADS 64
#define DAMPING 0.85
#define TOLERANCE 1e-3
#define DIGITS 12    /* binary, of a probability */
#define FIXED 0x1p52 /* sums of ranks are of whole numbers: in any order they give the same bits */

/* The initiator: of an edge, how likely a bit of the two vertices is 0 and 0, 0 and 1, 1 and 0. */
#define A 0.57
#define B 0.19
#define C 0.19

struct graph {
	unsigned scale;
	uint64_t vertices, edges;
	uint64_t *begins;  /* vertices + 1 */
	uint32_t *from;    /* edges */
	uint32_t *degrees; /* how many edges leave a vertex */
	float *ranks, *contributions;
};

/* What the threads share. */
struct course {
	const struct graph *graph;
	pthread_barrier_t barrier;
	unsigned most;
	unsigned iterations; /* that have ended; the first thread counts, between two barriers */
	uint64_t deadline;
	bool late;
	_Atomic uint64_t *dangling; /* rank of vertices that point nowhere, for each iteration */
};

struct worker {
	pthread_t thread;
	struct course *course;
	uint64_t first, end; /* rows */
};

/* Names of vertices are shuffled, as GAPBS does: neighbours in the Kronecker product are not neighbours in memory. */
static uint64_t shuffled(const struct graph *g, uint64_t vertex)
{
	uint64_t mask = g->vertices - 1;
	unsigned half = (g->scale + 1) / 2;

	vertex = vertex * 0x9e3779b97f4a7c15ull & mask;
	vertex ^= vertex >> half;
	return vertex * 0xbf58476d1ce4e5b9ull & mask;
}

/* The inverse of an odd number modulo 2^64, by Newton's method: each step doubles the right bits. */
static uint64_t inverse(uint64_t odd)
{
	uint64_t x = odd;

	for (unsigned i = 0; i < 5; i++)
		x *= 2 - odd * x;
	return x;
}

static uint64_t unshuffled(const struct graph *g, uint64_t vertex)
{
	uint64_t mask = g->vertices - 1;
	unsigned half = (g->scale + 1) / 2;

	vertex = vertex * inverse(0xbf58476d1ce4e5b9ull) & mask;
	vertex ^= vertex >> half;
	return vertex * inverse(0x9e3779b97f4a7c15ull) & mask;
}

static void *map(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		fprintf(stderr, "upa-pagerank: bytes=%zu: %s\n", bytes, strerror(errno));
		exit(1);
	}
	return memory;
}

static uint64_t row_seed(uint64_t seed, uint64_t row)
{
	uint64_t state = seed * 0xd1342543de82ef95ull ^ row;

	return splitmix64(&state);
}

/* Where rows begin: their expected number of edges, a fraction is rounded at random. */
static void make_index(struct graph *g, uint64_t expected, uint64_t seed)
{
	uint64_t edges = 0;

	for (uint64_t v = 0; v < g->vertices; v++) {
		uint64_t state = row_seed(seed, v), drawn = splitmix64(&state);
		int ones = __builtin_popcountll(unshuffled(g, v));
		double share = pow(1 - A - B, ones) * pow(A + B, (int)g->scale - ones);

		g->begins[v] = edges;
		edges += (uint64_t)((double)expected * share + (double)(drawn >> 11) * 0x1p-53);
	}
	g->begins[g->vertices] = edges;
	g->edges = edges;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/*
 * A random bit for each bit of a row, set with the probability that the bit of the row asks for. All at once: each step
 * reads a digit of the probability, from the last to the first, and halves what there is, or halves it and adds a half.
 */
static uint64_t draw(uint64_t row, uint64_t *state)
{
	static const uint32_t after_0 = (uint32_t)(B / (A + B) * (1 << DIGITS));
	static const uint32_t after_1 = (uint32_t)((1 - A - B - C) / (1 - A - B) * (1 << DIGITS));
	uint64_t bits = 0, drawn = 0;

	for (unsigned digit = 0; digit < DIGITS; digit++) {
		uint64_t half = (after_0 >> digit & 1 ? ~row : 0) | (after_1 >> digit & 1 ? row : 0);

		drawn = digit % 2 ? drawn >> 32 : splitmix64(state);
		bits = (drawn & bits) | (~drawn & half);
	}
	return bits;
}

static void make_edges(struct graph *g, uint64_t seed)
{
	for (uint64_t v = 0; v < g->vertices; v++) {
		uint64_t state = ~row_seed(seed, v), row = unshuffled(g, v), begin = g->begins[v];
		uint64_t count = g->begins[v + 1] - begin;

		for (uint64_t e = 0; e < count; e++) {
			uint64_t from = shuffled(g, draw(row, &state) & (g->vertices - 1));

			g->from[begin + e] = (uint32_t)from;
			g->degrees[from]++;
		}
		qsort(g->from + begin, count, sizeof(*g->from), by_number);
	}
}

static struct graph make(uint64_t bytes, uint64_t seed)
{
	struct graph g = { 0 };
	uint64_t expected;

	while (bytes >> (g.scale + 1) >= 96)
		g.scale++;
	g.vertices = 1ull << g.scale;
	expected = (bytes - g.vertices * sizeof(*g.begins)) / sizeof(*g.from);
	g.begins = map((g.vertices + 1) * sizeof(*g.begins));
	make_index(&g, expected, seed);
	g.from = map(g.edges * sizeof(*g.from));
	g.degrees = map(g.vertices * sizeof(*g.degrees));
	g.ranks = map(g.vertices * sizeof(*g.ranks));
	g.contributions = map(g.vertices * sizeof(*g.contributions));
	make_edges(&g, seed);
	for (uint64_t v = 0; v < g.vertices; v++)
		g.ranks[v] = 1.0f / (float)g.vertices;
	return g;
}

/* Whole pages alone: those at the ends belong to two threads. Who pages nothing ignores the advice. */
static void in_order(const void *from, const void *to)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = ((uintptr_t)from + page - 1) & -page, end = (uintptr_t)to & -page;

	if (begin < end && madvise((void *)begin, end - begin, MADV_SEQUENTIAL))
		fprintf(stderr, "upa-pagerank: madvise: %s\n", strerror(errno));
}

static void contribute(const struct worker *w, unsigned iteration)
{
	const struct graph *g = w->course->graph;
	uint64_t dangling = 0;

	for (uint64_t v = w->first; v < w->end; v++) {
		g->contributions[v] = g->degrees[v] ? g->ranks[v] / (float)g->degrees[v] : 0;
		dangling += g->degrees[v] ? 0 : (uint64_t)((double)g->ranks[v] * FIXED);
	}
	w->course->dangling[iteration] += dangling;
}

static void pull(const struct worker *w, unsigned iteration)
{
	const struct graph *g = w->course->graph;
	double dangling = (double)w->course->dangling[iteration] / FIXED;
	double base = (1 - DAMPING + DAMPING * dangling) / (double)g->vertices;

	for (uint64_t v = w->first, e = g->begins[v]; v < w->end; v++) {
		double sum = 0;

		for (uint64_t end = g->begins[v + 1]; e < end; e++)
			sum += (double)g->contributions[g->from[e]];
		g->ranks[v] = (float)(base + DAMPING * sum);
	}
}

static void *work(void *argument)
{
	const struct worker *w = argument;
	struct course *c = w->course;

	for (unsigned i = 0; i < c->most && !c->late; i++) {
		contribute(w, i);
		pthread_barrier_wait(&c->barrier);
		pull(w, i);
		if (w->first == 0) {
			c->iterations = i + 1;
			c->late = monotonic_ns() >= c->deadline;
		}
		pthread_barrier_wait(&c->barrier);
	}
	return NULL;
}

/* Rows for each thread, with as many edges as the others'. */
static void divide(const struct graph *g, struct worker *workers, unsigned threads)
{
	uint64_t v = 0;

	for (unsigned t = 0; t < threads; t++) {
		workers[t].first = v;
		while (v < g->vertices && (t + 1 == threads || g->begins[v] < g->edges / threads * (t + 1)))
			v++;
		workers[t].end = v;
	}
}

/* Returns how long it took. */
static uint64_t iterate(struct course *c, uint64_t seconds, unsigned threads)
{
	static struct worker workers[MOST_THREADS];
	const struct graph *g = c->graph;
	uint64_t begun;

	c->dangling = calloc(c->most, sizeof(*c->dangling));
	if (!c->dangling || pthread_barrier_init(&c->barrier, NULL, threads)) {
		fprintf(stderr, "upa-pagerank: iterations=%u: no memory\n", c->most);
		exit(1);
	}
	divide(g, workers, threads);
	for (unsigned t = 0; t < threads; t++) {
		const struct worker *w = &workers[t];

		in_order(g->begins + w->first, g->begins + w->end);
		in_order(g->from + g->begins[w->first], g->from + g->begins[w->end]);
	}
	begun = monotonic_ns();
	c->deadline = begun + seconds * 1000000000u;
	for (unsigned t = 0; t < threads; t++) {
		workers[t].course = c;
		if (pthread_create(&workers[t].thread, NULL, work, &workers[t])) {
			fprintf(stderr, "upa-pagerank: threads=%u: no thread\n", threads);
			exit(1);
		}
	}
	for (unsigned t = 0; t < threads; t++)
		pthread_join(workers[t].thread, NULL);
	begun = monotonic_ns() - begun;
	pthread_barrier_destroy(&c->barrier);
	free((void *)c->dangling);
	return begun;
}

static uint64_t number(const char *text, uint64_t least, uint64_t most, const char *what)
{
	return number_argument("upa-pagerank", text, least, most, what);
}

int main(int argc, char **argv)
{
	uint64_t bytes, seconds, seed, begun, built, spent, checksum = 0xcbf29ce484222325ull; /* FNV-1a */
	struct course course = { 0 };
	unsigned threads;
	double sum = 0;
	struct graph g;

	if (argc != 6) {
		fprintf(stderr, "usage: upa-pagerank MIB ITERATIONS SECONDS THREADS SEED\n");
		return 2;
	}
	bytes = number(argv[1], 1, 1 << 16, "mib") * MIB;
	course.most = (unsigned)number(argv[2], 1, 1000, "iterations");
	seconds = number(argv[3], 0, 3600, "seconds");
	threads = (unsigned)number(argv[4], 1, MOST_THREADS, "threads");
	seed = number(argv[5], 1, UINT32_MAX, "seed");
	begun = monotonic_ns();
	g = make(bytes, seed);
	built = monotonic_ns();
	course.graph = &g;
	spent = iterate(&course, seconds, threads);
	for (uint64_t v = 0; v < g.vertices; v++) {
		uint32_t bits;

		memcpy(&bits, &g.ranks[v], sizeof(bits));
		checksum = (checksum ^ bits) * 0x100000001b3ull;
		sum += (double)g.ranks[v];
	}
	printf("vertices %llu edges %llu iterations %u ns_per_iteration %.0f sum %.6f checksum %016llx build_ns %llu\n",
	       (unsigned long long)g.vertices, (unsigned long long)g.edges, course.iterations,
	       (double)spent / course.iterations, sum, (unsigned long long)checksum,
	       (unsigned long long)(built - begun));
	return fabs(sum - 1) > TOLERANCE;
}
