/* SPDX-License-Identifier: Apache-2.0 */
/* paged.h - what upa-paging and upa-pagerank share, programs of their own that are larger than their memory. */
#ifndef UPA_DRIVER_PAGED_H
#define UPA_DRIVER_PAGED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* An argument; ends the process with a line that says what it must be, if it is not. */
static inline uint64_t number_argument(const char *program, const char *text, uint64_t least, uint64_t most,
				       const char *what)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < least || n > most) {
		fprintf(stderr, "%s: %s=%s: needs a number from %llu to %llu\n", program, what, text,
			(unsigned long long)least, (unsigned long long)most);
		exit(2);
	}
	return n;
}

#endif
