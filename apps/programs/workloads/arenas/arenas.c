/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arenas.c - upa-arenas: memory as a runtime with a collector of its own takes it, like Go's: 64 MiB of addresses are
 * reserved at a hint, parts are made readable as the heap grows, spans of 8 KiB to 1 MiB are handed out within, and
 * after each collection what is free is given back by MADV_DONTNEED and used again without another call.
 *
 *   upa-arenas CYCLES SEED
 *
 * Go itself makes its system calls without libc, so that no preloaded library sees them. Prints a sum, the same for the
 * same arguments. Exit status 1 if a span is not what was written, or is not zero where it was given back.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_BYTES (64ul << 20)
#define ARENAS 4u
#define GROWTH (4ul << 20)
#define UNIT 8192ul
#define UNITS (ARENA_BYTES / UNIT)

struct arena {
	char *base;
	size_t ready;         /* bytes that can be written */
	uint16_t span[UNITS]; /* units of the span that begins here; 0: none does */
	bool released[UNITS]; /* given back, so zero */
	bool taken[UNITS];
	uint64_t value[UNITS];
	size_t next;
};

static struct arena arenas[ARENAS];
static uint64_t random_state, sum;

/* splitmix64, Steele, Lea and Flood, OOPSLA 2014 */
static uint64_t next_random(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void stop(const char *what)
{
	fprintf(stderr, "upa-arenas: %s\n", what);
	exit(1);
}

static void reserve(struct arena *a, unsigned number)
{
	void *hint = (void *)(0xc000000000ul + number * ARENA_BYTES);

	a->base = mmap(hint, ARENA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (a->base == MAP_FAILED)
		stop("no addresses for an arena");
}

static void grow(struct arena *a)
{
	const int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	if (mmap(a->base + a->ready, GROWTH, PROT_READ | PROT_WRITE, fixed, -1, 0) == MAP_FAILED)
		stop("no memory for an arena");
	memset(&a->released[a->ready / UNIT], true, GROWTH / UNIT);
	a->ready += GROWTH;
}

static bool is_free(const struct arena *a, size_t unit, size_t units)
{
	if ((unit + units) * UNIT > a->ready)
		return false;
	for (size_t i = 0; i < units; i++)
		if (a->taken[unit + i])
			return false;
	return true;
}

/* Next fit, from where the last one ended; the arena grows before a second pass. Returns UNITS if it is full. */
static size_t find(struct arena *a, size_t units)
{
	for (;;) {
		for (size_t passed = 0, at = a->next; passed < UNITS; passed++, at = (at + 1) % UNITS)
			if (is_free(a, at, units))
				return at;
		if (a->ready == ARENA_BYTES)
			return UNITS;
		grow(a);
	}
}

static void allocate(struct arena *a, size_t units)
{
	size_t unit = find(a, units);
	uint64_t *words;

	if (unit == UNITS)
		return;
	words = (uint64_t *)(a->base + unit * UNIT);
	a->value[unit] = next_random();
	a->span[unit] = (uint16_t)units;
	for (size_t i = 0; i < units; i++) {
		if (a->released[unit + i] && words[i * (UNIT / sizeof(*words)) + 7])
			stop("what was given back is not zero");
		a->taken[unit + i] = true;
		a->released[unit + i] = false;
	}
	for (size_t i = 0; i < units * UNIT / sizeof(*words); i += 8)
		words[i] = words[i + 7] = a->value[unit] + i;
	a->next = (unit + units) % UNITS;
	sum = sum * 31 + unit + a->value[unit];
}

/* Three of four spans are garbage; what is free in runs of 64 KiB and more goes back. */
static void collect(struct arena *a)
{
	size_t begin = 0;

	for (size_t unit = 0; unit < UNITS; unit++) {
		const uint64_t *words = (const uint64_t *)(a->base + unit * UNIT);

		if (!a->span[unit] || next_random() % 4 == 0)
			continue;
		if (words[0] != a->value[unit] || words[8] != a->value[unit] + 8)
			stop("a span is not what was written");
		memset(&a->taken[unit], false, a->span[unit]);
		a->span[unit] = 0;
	}
	for (size_t unit = 0; unit <= a->ready / UNIT; unit++) {
		if (unit < a->ready / UNIT && !a->taken[unit])
			continue;
		if (unit - begin >= 8) {
			if (madvise(a->base + begin * UNIT, (unit - begin) * UNIT, MADV_DONTNEED))
				stop("memory cannot be given back");
			memset(&a->released[begin], true, unit - begin);
		}
		begin = unit + 1;
	}
}

int main(int count, char **arguments)
{
	char *end = NULL;
	unsigned long cycles = count == 3 ? strtoul(arguments[1], &end, 10) : 0;

	if (!cycles || *end || cycles > 1000000) {
		fputs("usage: upa-arenas CYCLES SEED\n", stderr);
		return 2;
	}
	random_state = strtoul(arguments[2], NULL, 10);
	for (unsigned i = 0; i < ARENAS; i++)
		reserve(&arenas[i], i);
	for (unsigned long cycle = 0; cycle < cycles; cycle++) {
		struct arena *a = &arenas[cycle % ARENAS];

		for (int i = 0; i < 1500; i++)
			allocate(a, next_random() % 100 ? 1 + next_random() % 4 : 16 + next_random() % 112);
		collect(a);
	}
	printf("%016llx\n", (unsigned long long)sum);
	return fflush(stdout) || ferror(stdout);
}
