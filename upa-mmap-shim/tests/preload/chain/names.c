/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reaches malloc by glibc's other names, mixes them, and asks what it says of itself. Exit status 1 and a line if
 * that is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t bytes), *__libc_calloc(size_t count, size_t bytes),
	*__libc_realloc(void *block, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes), *__libc_valloc(size_t bytes),
	*__libc_pvalloc(size_t bytes);
extern void __libc_free(void *block);

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

static void blocks(void)
{
	char *p = __libc_malloc(1000);

	p = realloc(memset(p, 1, 1000), 300000);
	CHECK(p && p[999] == 1);
	__libc_free(p);
	p = __libc_calloc(10, 1000);
	for (int i = 0; i < 10000; i++)
		CHECK(!p[i]);
	free(p);
	p = __libc_memalign(4096, 1000);
	CHECK(p && !((uintptr_t)p % 4096));
	p = __libc_realloc(p, 9000);
	__libc_free(p);
	p = __libc_valloc(1);
	CHECK(p && !((uintptr_t)p % 4096));
	free(p);
	p = __libc_pvalloc(1);
	CHECK(p && malloc_usable_size(p) >= 4096);
	free(p);
	p = malloc(1000);
	CHECK(!posix_memalign((void **)&p, 64, 100) && !((uintptr_t)p % 64));
	__libc_free(p);
	errno = 0;
	CHECK(posix_memalign((void **)&p, 64, SIZE_MAX / 4) == ENOMEM && errno == ENOMEM);
}

static void figures(void)
{
	struct mallinfo2 was = mallinfo2(), is;
	struct mallinfo less;
	char *large = malloc(50 << 20), *small[1000], *text;
	size_t bytes;
	FILE *out;

	for (int i = 0; i < 1000; i++)
		small[i] = malloc(1000);
	is = mallinfo2();
	less = mallinfo();
	CHECK(is.hblkhd >= was.hblkhd + (50ul << 20) && is.hblkhd < was.hblkhd + (51ul << 20));
	CHECK(is.uordblks >= was.uordblks + 1000000 && is.uordblks < was.uordblks + 1200000);
	CHECK(is.arena >= is.uordblks && is.arena == is.uordblks + is.fordblks);
	CHECK((size_t)less.uordblks == is.uordblks && (size_t)less.hblkhd == is.hblkhd &&
	      (size_t)less.arena == is.arena);
	out = open_memstream(&text, &bytes);
	CHECK(out && !malloc_info(0, out) && malloc_info(1, out) == EINVAL && !fclose(out));
	CHECK(strstr(text, "<malloc version=") && strstr(text, "<heap nr=\"0\">") && strstr(text, "type=\"mmap\"") &&
	      strstr(text, "</malloc>"));
	free(text);
	malloc_stats();
	for (int i = 0; i < 1000; i++)
		free(small[i]);
	free(large);
	is = mallinfo2();
	CHECK(is.hblkhd < was.hblkhd + (1ul << 20) && is.uordblks < was.uordblks + 100000);
}

/* A threshold that is set is kept; a heap that is trimmed gives back. */
static void parameters(void)
{
	size_t was = mallinfo2().hblkhd;
	char *p;

	CHECK(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
	p = malloc(6 << 20);
	CHECK(mallinfo2().hblkhd > was + (6 << 20));
	free(p);
	CHECK(mallopt(M_MMAP_THRESHOLD, 16 << 20) == 1);
	p = malloc(6 << 20);
	CHECK(mallinfo2().hblkhd < was + (1 << 20));
	free(p);
	CHECK(mallopt(M_TRIM_THRESHOLD, 1 << 20) == 1 && mallopt(M_ARENA_MAX, 2) == 1 && mallopt(M_PERTURB, 0) == 1);
	malloc_trim(0);
}

int main(void)
{
	blocks();
	figures();
	parameters();
	return 0;
}
