/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "upkeep/trim_threshold.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 16;
}

/* The number that ends at ':' or the text's end; negative: there is none, or one so large that nothing is trimmed. */
static int64_t number(const char *text)
{
	int base = text[0] != '0' ? 10 : (text[1] | 32) == 'x' ? 16 : 8;
	const char *at = base == 16 ? text + 2 : text;
	int64_t n = 0;

	if (digit(*at) >= base)
		return -1;
	for (; digit(*at) < base; at++) {
		if (n > (INT64_MAX - 16) / 16)
			return -1;
		n = n * base + digit(*at);
	}
	return *at && *at != ':' ? -1 : n;
}

/* The value of this name in a list "name=value:name=value"; NULL if there is none. */
static const char *tunable(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (list) {
		if (!strncmp(list, name, length) && list[length] == '=')
			return list + length + 1;
		list = strchr(list, ':');
		list += !!list;
	}
	return NULL;
}

static const char *variable(char *const environment[], const char *name)
{
	size_t length = strlen(name);

	for (; environment && *environment; environment++)
		if (!strncmp(*environment, name, length) && (*environment)[length] == '=')
			return *environment + length + 1;
	return NULL;
}

int64_t malloc_setting_in(char *const environment[], const char *name, const char *older)
{
	const char *value = tunable(variable(environment, "GLIBC_TUNABLES"), name);

	value = value ? value : variable(environment, older);
	return value ? number(value) : -1;
}

int64_t trim_threshold_in(char *const environment[])
{
	return malloc_setting_in(environment, "glibc.malloc.trim_threshold", "MALLOC_TRIM_THRESHOLD_");
}

int64_t trim_threshold_at_start(void)
{
	return trim_threshold_in(environ);
}
