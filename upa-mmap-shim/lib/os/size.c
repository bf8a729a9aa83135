/* SPDX-License-Identifier: Apache-2.0 */
#include "os/size.h"

#include <string.h>

/* Reads digits and moves *text behind them. */
static bool digits(const char **text, uint64_t most, uint64_t *out)
{
	const char *at = *text;
	uint64_t n = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (digit > most || n > (most - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (at == *text)
		return false;
	*text = at;
	*out = n;
	return true;
}

bool number_parse(const char *text, uint64_t most, uint64_t *out)
{
	uint64_t n;

	if (!digits(&text, most, &n) || *text)
		return false;
	*out = n;
	return true;
}

bool size_parse(const char *text, uint64_t most, uint64_t *out)
{
	static const char letters[] = "KMGT";
	const char *letter;
	unsigned shift = 0;
	uint64_t n;

	if (!digits(&text, most, &n))
		return false;
	letter = *text ? strchr(letters, *text) : NULL;
	if (letter) {
		shift = 10 * (unsigned)(letter - letters + 1);
		text++;
	}
	if (*text || n > most >> shift)
		return false;
	*out = n << shift;
	return true;
}
