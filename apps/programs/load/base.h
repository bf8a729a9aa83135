/* SPDX-License-Identifier: Apache-2.0 */
/* base.h - what all of upa-load uses: its end, the clock, random numbers, a hash, and bytes that grow. */
#ifndef UPA_LOAD_BASE_H
#define UPA_LOAD_BASE_H

#include <stddef.h>
#include <stdint.h>

#define HEAD_MAX 512u /* bytes of a request or reply besides its value */

struct bytes {
	char *data;
	size_t length, capacity;
};

/* Ends with a line on standard error. */
_Noreturn void stop(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

uint64_t now_ns(void);

/* splitmix64, Steele, Lea and Flood, OOPSLA 2014 */
uint64_t next_random(uint64_t *state);

/* FNV-1a by Fowler, Noll and Vo, 64 bits */
uint64_t hash(const char *data, size_t length);

/* Zeros, or the end. */
void *allocate(size_t count, size_t size);

/* Makes room for so many more, or ends. */
void room(struct bytes *bytes, size_t more);

/* Appends at most HEAD_MAX - 1 bytes. */
void add_text(struct bytes *bytes, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
