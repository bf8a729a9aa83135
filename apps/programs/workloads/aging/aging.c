/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aging.c - upa-aging: a server's heap over days, compressed: load follows the hours, sizes change from one to the
 * next, and a few objects outlive the many they were allocated among, which is what fragments a heap.
 *
 *   upa-aging HOURS STEPS [times]
 *
 * In each hour STEPS objects replace others: nineteen of twenty are an hour's own, in a table that is large by day and
 * small by night; the others are kept in a table of 20 000 that is replaced at random, so that an object of it lives
 * for many hours. An hour has one of four mixes of sizes. Each object is written, and checked when it is freed. Prints
 * a sum, the same for the same arguments. With `times`, also a line for each hour on standard error: milliseconds,
 * resident MiB, MiB in use. Exit status 1 if an object was not what was written.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define YOUNG 12000u
#define OLD 20000u
#define NIGHT 6 /* of 24 hours; then a sixteenth of the young are there */

struct object {
	uint64_t *words;
	size_t bytes;
	uint64_t value;
};

struct mix {
	unsigned large_per_mille, middle_per_mille; /* the others are small */
	size_t small, middle, large;                /* sizes are from an eighth of these to these */
};

static const struct mix mixes[] = {
	{ 5, 60, 400, 12000, 300000 },
	{ 12, 20, 1500, 40000, 1000000 },
	{ 1, 150, 100, 9000, 3000000 },
	{ 25, 100, 900, 70000, 200000 },
};

static struct object young[YOUNG], old[OLD];
static uint64_t random_state = 41, sum;
static size_t in_use;

/* splitmix64, Steele, Lea and Flood, OOPSLA 2014 */
static uint64_t next_random(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void release(struct object *o)
{
	size_t last = o->bytes / sizeof(uint64_t) - 1;

	if (!o->words)
		return;
	if (o->words[0] != o->value || o->words[last] != (last ? ~o->value : o->value)) {
		fprintf(stderr, "upa-aging: an object of bytes=%zu is not what was written\n", o->bytes);
		exit(1);
	}
	free(o->words);
	o->words = NULL;
	in_use -= o->bytes;
}

/* Writes a word in each line, as what fills a buffer does. */
static void replace(struct object *o, size_t most)
{
	size_t bytes = most / 8 + next_random() % (most - most / 8), words = bytes / sizeof(uint64_t);

	release(o);
	o->bytes = bytes;
	o->value = next_random();
	o->words = malloc(bytes);
	if (!o->words) {
		fprintf(stderr, "upa-aging: no memory for bytes=%zu\n", bytes);
		exit(1);
	}
	for (size_t i = 0; i < words; i += 8)
		o->words[i] = o->value;
	if (words > 1)
		o->words[words - 1] = ~o->value;
	in_use += bytes;
	sum = sum * 31 + bytes + o->value;
}

static size_t size_of(const struct mix *mix)
{
	unsigned dice = (unsigned)(next_random() % 1000);

	if (dice < mix->large_per_mille)
		return mix->large;
	return dice < mix->large_per_mille + mix->middle_per_mille ? mix->middle : mix->small;
}

static size_t resident(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static unsigned long number(const char *name, const char *text, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '1' || *text > '9' || *end || value > most) {
		fprintf(stderr, "upa-aging: %s=%s is not a number from 1 to %lu\n", name, text, most);
		exit(2);
	}
	return value;
}

int main(int count, char **arguments)
{
	unsigned long hours, steps;

	if (count < 3 || count > 4 || (count == 4 && strcmp(arguments[3], "times"))) {
		fputs("usage: upa-aging HOURS STEPS [times]\n", stderr);
		return 2;
	}
	hours = number("HOURS", arguments[1], 100000);
	steps = number("STEPS", arguments[2], 1000000000);
	for (unsigned long hour = 0; hour < hours; hour++) {
		const struct mix *mix = &mixes[hour / 3 % (sizeof(mixes) / sizeof(*mixes))];
		size_t there = hour % 24 < NIGHT ? YOUNG / 16 : YOUNG;
		double begun = now_ms();

		for (size_t i = there; i < YOUNG; i++)
			release(&young[i]);
		for (unsigned long step = 0; step < steps; step++) {
			if (next_random() % 20 == 0)
				replace(&old[next_random() % OLD], mix->small + next_random() % 2000);
			else
				replace(&young[next_random() % there], size_of(mix));
		}
		if (count == 4)
			fprintf(stderr, "%lu %.1f %zu %zu\n", hour, now_ms() - begun, resident() >> 20, in_use >> 20);
	}
	for (size_t i = 0; i < YOUNG; i++)
		release(&young[i]);
	for (size_t i = 0; i < OLD; i++)
		release(&old[i]);
	printf("%016llx\n", (unsigned long long)sum);
	return fflush(stdout) || ferror(stdout);
}
