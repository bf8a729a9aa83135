/* SPDX-License-Identifier: Apache-2.0 */
/* redirect_hex.h - code that tests of the redirection write in hexadecimal digits. */
#ifndef UPA_TESTS_REDIRECT_HEX_H
#define UPA_TESTS_REDIRECT_HEX_H

#include <stddef.h>

#include "check.h"

/* The bytes of a text of digits, two a byte; blanks count for nothing. How many there are. */
static inline size_t from_hex(const char *text, unsigned char *bytes, size_t room)
{
	size_t n = 0;

	for (; *text; text++) {
		unsigned value;

		if (*text == ' ')
			continue;
		CHECK(n < room && sscanf(text, "%2x", &value) == 1, "text=%s", text);
		bytes[n++] = (unsigned char)value;
		text++;
	}
	return n;
}

#endif
