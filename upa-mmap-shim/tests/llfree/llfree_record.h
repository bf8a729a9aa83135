/* SPDX-License-Identifier: Apache-2.0 */
/* llfree_record.h - operations and their answers as lines of a vector file, if they are to be recorded. */
#ifndef UPA_TESTS_LLFREE_RECORD_H
#define UPA_TESTS_LLFREE_RECORD_H

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include <upa/llfree.h>

static bool record;

/* Prints an operation and its answer. */
__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	va_list arguments;

	if (!record)
		return;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

static const char *name(int64_t result)
{
	static char text[24];

	if (result >= 0)
		snprintf(text, sizeof(text), "%" PRId64, result);
	return result >= 0       ? text :
	       result == -ENOMEM ? "ENOMEM" :
	       result == -EBUSY  ? "EBUSY" :
	       result == -EINVAL ? "EINVAL" :
				   "?";
}

/* UPA_HOLDS_* as vectors name them. */
static const char *contents_name(uint32_t holds)
{
	static const char *const names[] = { "absent", "zeroed", "stale", "?", "lazy", "resident" };
	static char text[60];
	size_t at = 0;

	for (uint32_t i = 0; i < 6; i++)
		if (holds >> i & 1)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", at ? "+" : "", names[i]);
	return text;
}

/* The answer of a get. */
static const char *got_name(int64_t result, uint32_t flags)
{
	static char text[90];

	if (result < 0 || !(flags & UPA_GET_CONTENTS))
		return name(result);
	snprintf(text, sizeof(text), "%" PRId64 " %s", upa_llfree_page(result),
		 contents_name(upa_llfree_holds(result)));
	return text;
}

#endif
