/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - what the test programs share: a check that says what it saw, memory for a state, a random generator. */
#ifndef UPA_TESTS_CHECK_H
#define UPA_TESTS_CHECK_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <upa/llfree.h>

#define EXIT_SKIPPED 77

/* Ends the program with the place, the condition and a printf text unless the condition holds. */
#define CHECK(condition, ...)                                                                                          \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                                \
			fprintf(stderr, __VA_ARGS__);                                                                  \
			fputc('\n', stderr);                                                                           \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

static inline uint64_t random_next(uint64_t *seed) /* splitmix64 (Steele, Lea, Flood 2014) */
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static inline uint64_t random_below(uint64_t *seed, uint64_t n)
{
	return random_next(seed) % n;
}

/* Zeroed memory that costs only what is touched of it; shared with children made by fork() if asked. */
static inline void *map_state(size_t bytes, int shared)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED, "bytes=%zu", bytes);
	return p;
}

static inline void check_valid(const struct upa_llfree *a)
{
	char message[200] = "";
	int error = upa_llfree_validate(a, message, sizeof(message));

	CHECK(!error, "error=%d %s", error, message);
}

#endif
