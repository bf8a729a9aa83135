/* SPDX-License-Identifier: Apache-2.0 */
/* size.h - sizes as people write them in settings. No stdio, no locale. */
#ifndef UPA_OS_SIZE_H
#define UPA_OS_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A decimal number with one letter behind it, or none: K, M, G or T for the powers of 1024. False, and *out unchanged,
 * if text is anything else, or more than `most`.
 */
bool size_parse(const char *text, uint64_t most, uint64_t *out);

#endif
