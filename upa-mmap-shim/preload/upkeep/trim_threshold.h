/* SPDX-License-Identifier: Apache-2.0 */
/* trim_threshold.h - what the environment tells glibc's malloc() to leave of free memory at the end of its heap. */
#ifndef UPA_TRIM_THRESHOLD_H
#define UPA_TRIM_THRESHOLD_H

#include <stdint.h>

/*
 * Bytes by glibc.malloc.trim_threshold in GLIBC_TUNABLES, else by MALLOC_TRIM_THRESHOLD_. Negative: neither says so, or
 * nothing is to be trimmed. A number as C writes it; another is no number to glibc either.
 */
int64_t trim_threshold_at_start(void);

/* The same of an environment. */
int64_t trim_threshold_in(char *const environment[]);

/* Another number for glibc's malloc(), by its name among the tunables or as a variable. Negative: there is none. */
int64_t malloc_setting_in(char *const environment[], const char *name, const char *older);

#endif
