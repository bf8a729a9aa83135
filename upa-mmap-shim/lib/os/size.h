/* SPDX-License-Identifier: Apache-2.0 */
/* size.h - numbers and sizes as people write them in settings. No stdio, no locale. */
#ifndef UPA_OS_SIZE_H
#define UPA_OS_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A decimal number of at most `most`, nothing before or behind it. False, and *out unchanged, if text is no such
 * number.
 */
bool number_parse(const char *text, uint64_t most, uint64_t *out);

/* The same with one letter behind it, or none: K, M, G or T for the powers of 1024. */
bool size_parse(const char *text, uint64_t most, uint64_t *out);

#endif
