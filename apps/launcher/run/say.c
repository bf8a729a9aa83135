/* SPDX-License-Identifier: Apache-2.0 */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/one_line.h"

/* What users call their files and programs may hold line breaks. */
static char *one_line(const char *text)
{
	char *line = malloc(strlen(text) * (ONE_LINE_BYTES - 1) + 1), *end = line;

	if (!line)
		return NULL;
	for (*end = 0; *text; end += strlen(end))
		text += one_line_next(text, end);
	return line;
}

static void print(const char *format, va_list arguments, const char *after)
{
	char *text, *line;

	if (vasprintf(&text, format, arguments) < 0)
		return;
	line = one_line(text);
	/* In one piece: others may write to the same terminal. */
	if (line)
		fprintf(stderr, "upa: %s%s\n", line, after);
	free(line);
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
