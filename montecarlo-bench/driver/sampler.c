/* SPDX-License-Identifier: Apache-2.0 */
/* sampler.c - see sampler.h. */
#include "sampler.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOUGLAS_LIMIT (8ull << 20)

static uint64_t rotate_left(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static uint64_t xoshiro256(uint64_t s[4])
{
	uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

/* Uniform in [low, high). */
static double uniform(struct sampler *s, double low, double high)
{
	return low + (high - low) * ((double)(xoshiro256(s->random) >> 11) * 0x1p-53);
}

static uint64_t douglas_next(struct sampler *s)
{
	uint64_t bytes;

	do {
		bytes = (uint64_t)exp2(uniform(s, s->log2_low, 64)) & (DOUGLAS_LIMIT - 1);
		bytes &= ~(s->smallest - 1);
	} while (!bytes);
	return bytes;
}

static uint64_t log_uniform_next(struct sampler *s)
{
	return (uint64_t)exp2(uniform(s, s->log2_low, s->log2_high)) & ~(s->smallest - 1);
}

static uint64_t fixed_next(struct sampler *s)
{
	return s->fixed;
}

int sampler_init(struct sampler *s, const char *name, uint64_t seed, uint64_t smallest, uint64_t largest)
{
	memset(s, 0, sizeof(*s));
	for (int i = 0; i < 4; i++)
		s->random[i] = splitmix64(&seed);
	s->smallest = smallest;
	s->log2_low = log2((double)smallest);
	s->log2_high = log2((double)largest);
	if (!strcmp(name, "douglas")) {
		s->next = douglas_next;
	} else if (!strcmp(name, "log-uniform")) {
		s->next = log_uniform_next;
	} else if (!strncmp(name, "fixed:", 6) && !parse_bytes(name + 6, &s->fixed)) {
		s->next = fixed_next;
	} else {
		fprintf(stderr, "upa-driver: no sampler '%s': choose douglas, log-uniform or fixed:SIZE\n", name);
		return -1;
	}
	return 0;
}

int parse_bytes(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned shift = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*bytes = strtoull(text, &end, 10);
	if (*end && (suffix = strchr(suffixes, *end))) {
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		end++;
	}
	if (errno || *end || !*bytes || *bytes >> (48 - shift))
		return -1;
	*bytes <<= shift;
	return 0;
}
