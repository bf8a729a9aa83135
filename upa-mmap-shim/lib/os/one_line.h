/* SPDX-License-Identifier: Apache-2.0 */
/*
 * one_line.h - text that somebody else chose, within a line of ours: a name may hold line breaks, and what a terminal
 * obeys.
 */
#ifndef UPA_OS_ONE_LINE_H
#define UPA_OS_ONE_LINE_H

#include <stdbool.h>
#include <stddef.h>

#define ONE_LINE_BYTES 5

/*
 * Puts into `out` what stands for the first character of `text`, which is not empty: a control character, also one of
 * U+0080 to U+009F in UTF-8, as \n, \r, \t or \xNN; any other byte as it is. Returns how many bytes it stands for.
 */
static inline size_t one_line_next(const char *text, char out[ONE_LINE_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char c = (unsigned char)text[0];
	bool two = c == 0xc2 && ((unsigned char)text[1] & 0xe0) == 0x80;
	char letter;
	size_t n = 0;

	if (two)
		c = (unsigned char)text[1];
	if (!two && c >= ' ' && c != 0x7f) {
		out[n++] = text[0];
	} else {
		letter = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : 'x';
		out[n++] = '\\';
		out[n++] = letter;
		if (letter == 'x') {
			out[n++] = digits[c >> 4];
			out[n++] = digits[c & 15];
		}
	}
	out[n] = 0;
	return two ? 2 : 1;
}

#endif
