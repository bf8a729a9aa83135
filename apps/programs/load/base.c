/* SPDX-License-Identifier: Apache-2.0 */
#include "base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void stop(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("upa-load: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(status);
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t hash(const char *data, size_t length)
{
	uint64_t sum = 0xcbf29ce484222325u;

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ (unsigned char)data[i]) * 0x100000001b3u;
	return sum;
}

void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		stop(1, "no memory for count=%zu of size=%zu", count, size);
	return memory;
}

void room(struct bytes *bytes, size_t more)
{
	if (bytes->length + more <= bytes->capacity)
		return;
	bytes->capacity = 2 * (bytes->length + more);
	bytes->data = realloc(bytes->data, bytes->capacity);
	if (!bytes->data)
		stop(1, "no memory for bytes=%zu", bytes->capacity);
}

void add_text(struct bytes *bytes, const char *format, ...)
{
	va_list arguments;

	room(bytes, HEAD_MAX);
	va_start(arguments, format);
	bytes->length += (size_t)vsnprintf(bytes->data + bytes->length, HEAD_MAX, format, arguments);
	va_end(arguments);
}
