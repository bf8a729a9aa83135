/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sampler.h - where request sizes come from. A sampler and a seed give the same sequence on every
 * machine. Random numbers: xoshiro256** (Blackman and Vigna), seeded through splitmix64.
 */
#ifndef UPA_DRIVER_SAMPLER_H
#define UPA_DRIVER_SAMPLER_H

#include <stdint.h>

/* Steele, Lea, Flood, Fast splittable pseudorandom number generators (2014). */
static inline uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

struct sampler {
	uint64_t (*next)(struct sampler *);
	uint64_t random[4];
	uint64_t smallest; /* sizes are at least this, a power of two; 4096 and more: whole pages */
	double log2_low, log2_high;
	uint64_t fixed;
};

/*
 * Names: douglas, log-uniform, fixed:SIZE.
 *   douglas      2^U with U uniform in [log2 smallest, 64), reduced modulo 8 MiB, rounded down to a
 *                multiple of `smallest` and drawn again if 0: about a fifth (a third from 8 bytes on)
 *                is log-uniform below 8 MiB, the rest uniform over 0..8 MiB. As scalingtest.cpp of
 *                Douglas's nedmalloc, 2010, does.
 *   log-uniform  2^U with U uniform in [log2 smallest, log2 largest], rounded down likewise.
 *   fixed:SIZE   always SIZE.
 * -1 if there is none of that name, after a message on stderr.
 */
int sampler_init(struct sampler *, const char *name, uint64_t seed, uint64_t smallest, uint64_t largest);

/* Bytes with an optional suffix K, M, G or T; -1 if malformed, 0 bytes or too large. */
int parse_bytes(const char *text, uint64_t *bytes);

#endif
