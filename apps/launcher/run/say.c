/* SPDX-License-Identifier: Apache-2.0 */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void print(const char *format, va_list arguments, const char *after)
{
	char *text;

	if (vasprintf(&text, format, arguments) < 0)
		return;
	/* In one piece: others may write to the same terminal. */
	fprintf(stderr, "upa: %s%s\n", text, after);
	free(text);
}

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(format, arguments, "");
	va_end(arguments);
}

void say_and_exit(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(format, arguments, status == STATUS_USAGE ? ": see ./upa run --help" : "");
	va_end(arguments);
	exit(status);
}

char *joined(const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		say_and_exit(STATUS_FAILURE, "out of memory");
	return text;
}
