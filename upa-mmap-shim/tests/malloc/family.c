/* SPDX-License-Identifier: Apache-2.0 */
/* family.c - libupa_malloc.so: each function of the family as malloc(3) and posix_memalign(3) have it. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define BYTES 5000u
#define BLOCKS 300

/* No compiler knows them. */
static volatile size_t zero = 0, huge = SIZE_MAX, half = SIZE_MAX / 2 + 1;

static void *filled(void *block, size_t bytes, int value)
{
	CHECK(block && malloc_usable_size(block) >= bytes, "block=%p bytes=%zu", block, bytes);
	return memset(block, value, bytes);
}

static void check_holds(const unsigned char *block, size_t bytes, unsigned char value)
{
	for (size_t i = 0; i < bytes; i++)
		CHECK(block[i] == value, "offset=%zu holds=%d expected=%d", i, block[i], value);
}

/* A call that must find no memory, and say so. */
#define REFUSED(call)                                                                                                  \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		CHECK(!(call) && errno == ENOMEM, #call ": errno=%d", errno);                                          \
	} while (0)

static void too_much(void)
{
	void *block = filled(malloc(BYTES), BYTES, 7);

	REFUSED(malloc(huge));
	REFUSED(malloc(half));
	REFUSED(calloc(half, 2));
	REFUSED(calloc(huge / 3, 4));
	REFUSED(realloc(block, huge));
	REFUSED(realloc(block, half));
	REFUSED(reallocarray(block, half, 2));
	REFUSED(memalign(64, huge));
	REFUSED(aligned_alloc(64, half));
	REFUSED(valloc(huge));
	REFUSED(pvalloc(huge));
	REFUSED(pvalloc(huge - 4094));
	check_holds(block, BYTES, 7);
	free(block);
}

static void nothing(void)
{
	void *one = malloc(zero), *other = calloc(zero, 8);

	CHECK(one && other && one != other, "blocks of no bytes");
	CHECK(!malloc_usable_size(NULL), "usable");
	free(NULL);
	free(one);
	CHECK(!realloc(other, zero), "freed");
	one = filled(realloc(NULL, BYTES), BYTES, 3);
	free(one);
}

static void alignments(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *block = &block;

	errno = EDOM;
	CHECK(posix_memalign(&block, 0, 8) == EINVAL && posix_memalign(&block, 4, 8) == EINVAL &&
		      posix_memalign(&block, 24, 8) == EINVAL && errno == EDOM,
	      "errno=%d", errno);
	/* errno too, as glibc has it. */
	CHECK(posix_memalign(&block, 64, huge) == ENOMEM && errno == ENOMEM, "errno=%d", errno);
	CHECK(block == &block, "what is refused changes nothing");
	errno = EDOM;
	CHECK(!posix_memalign(&block, 8, 8) && errno == EDOM, "errno=%d", errno);
	free(block);
	errno = 0;
	CHECK(!memalign(half + 1, 8) && errno == EINVAL, "errno=%d", errno);
	for (size_t alignment = 8; alignment <= 1u << 20; alignment *= 2) {
		for (size_t bytes = 1; bytes <= 1u << 21; bytes *= 32) {
			CHECK(!posix_memalign(&block, alignment, bytes), "alignment=%zu bytes=%zu", alignment, bytes);
			CHECK((uintptr_t)block % alignment == 0, "alignment=%zu block=%p", alignment, block);
			free(filled(block, bytes, 9));
			block = aligned_alloc(alignment, bytes);
			CHECK((uintptr_t)block % alignment == 0, "alignment=%zu block=%p", alignment, block);
			free(filled(block, bytes, 9));
		}
	}
	for (size_t bytes = 1; bytes < 4 * page; bytes += 511) {
		block = valloc(bytes);
		CHECK((uintptr_t)block % page == 0, "valloc: block=%p", block);
		free(filled(block, bytes, 9));
		block = pvalloc(bytes);
		CHECK((uintptr_t)block % page == 0, "pvalloc: block=%p", block);
		free(filled(block, (bytes + page - 1) / page * page, 9));
	}
	CHECK(malloc_usable_size(block = pvalloc(2 * page)) < 3 * page, "no page more than is asked for");
	free(block);
}

/* Memory that has been used before, of every size, also of a mapping of its own. */
static void zeros(void)
{
	for (size_t bytes = 1; bytes <= 8u << 20; bytes = bytes * 3 + 1) {
		for (int i = 0; i < 3; i++) {
			void *block = calloc(bytes, 1);

			check_holds(block, bytes, 0);
			free(filled(block, bytes, 0xee));
		}
	}
}

static void resizes(void)
{
	uint64_t seed = 5;
	size_t bytes = 1;
	void *block = filled(malloc(1), 1, 0);

	for (int i = 1; i < 2000; i++) {
		size_t wanted = 1 + random_below(&seed, i % 50 ? 9000 : 4 << 20);

		block = reallocarray(block, wanted, 1);
		CHECK(block, "wanted=%zu", wanted);
		check_holds(block, bytes < wanted ? bytes : wanted, (unsigned char)(i - 1));
		filled(block, bytes = wanted, i & 255);
	}
	free(block);
}

/* What one thread has allocated, another resizes and frees. */
static void *take_over(void *argument)
{
	void **blocks = argument;

	for (int i = 0; i < BLOCKS; i++) {
		check_holds(blocks[i], 100, (unsigned char)i);
		blocks[i] = realloc(blocks[i], 40000);
		check_holds(blocks[i], 100, (unsigned char)i);
		free(filled(blocks[i], 40000, 1));
		blocks[i] = filled(malloc(200), 200, i & 255);
	}
	return NULL;
}

static void other_threads(void)
{
	void *blocks[BLOCKS];
	pthread_t thread;

	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = filled(malloc(100 + (size_t)i * 50), 100, i & 255);
	for (int round = 0; round < 4; round++) {
		CHECK(!pthread_create(&thread, NULL, take_over, blocks), "thread");
		pthread_join(thread, NULL);
	}
	for (int i = 0; i < BLOCKS; i++) {
		check_holds(blocks[i], 200, (unsigned char)i);
		free(blocks[i]);
	}
}

/* What is freed in large blocks does not stay in the heap. */
static void figures(void)
{
	enum { MANY = 128 };
	struct mallinfo2 before = mallinfo2(), now;
	void *large[MANY], *mapped;

	for (int i = 0; i < MANY; i++)
		large[i] = filled(malloc(512 << 10), 512 << 10, 1);
	now = mallinfo2();
	CHECK(now.uordblks - before.uordblks >= 64u << 20 && now.arena >= 64u << 20, "uordblks=%zu arena=%zu",
	      now.uordblks, now.arena);
	for (int i = 0; i < MANY; i++)
		free(large[i]);
	now = mallinfo2();
	CHECK(now.arena < 16u << 20 && now.uordblks < before.uordblks + (1u << 20), "uordblks=%zu arena=%zu",
	      now.uordblks, now.arena);
	mapped = filled(malloc(8u << 20), 8u << 20, 2);
	now = mallinfo2();
	CHECK(now.hblkhd - before.hblkhd >= 8u << 20 && now.uordblks < before.uordblks + (1u << 20), "hblkhd=%zu",
	      now.hblkhd);
	free(mapped);
	CHECK(mallinfo2().hblkhd == before.hblkhd, "hblkhd=%zu", mallinfo2().hblkhd);
}

/* What malloc_stats() writes to standard error, line by line as glibc has it. */
static void said(void)
{
	static char text[65536];
	char line[64];
	int ends[2], error = dup(2);
	struct mallinfo2 m;
	size_t regions, bytes;
	ssize_t n;

	CHECK(!pipe(ends) && dup2(ends[1], 2) == 2, "errno=%d", errno);
	malloc_stats();
	m = mallinfo2();
	dup2(error, 2);
	close(error);
	close(ends[1]);
	n = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	CHECK(n > 0 && !strncmp(text, "Arena 0:\nsystem bytes     = ", 28), "text=%s", text);
	n = 0;
	CHECK(strstr(text, "max mmap regions = ") &&
		      sscanf(strstr(text, "max mmap regions = "), "max mmap regions = %zu\nmax mmap bytes   = %zu\n%zn",
			     &regions, &bytes, &n) == 2,
	      "text=%s", text);
	CHECK(regions >= 1 && bytes >= 8u << 20 && bytes >= m.hblkhd && n, "text=%s", text);
	snprintf(line, sizeof(line), "Total (incl. mmap):\nsystem bytes     = %10zu\n", m.arena + m.hblkhd);
	CHECK(strstr(text, line), "text=%s", text);
}

static size_t resident_pages(void)
{
	size_t pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	CHECK(statm && fscanf(statm, "%*u %zu", &pages) == 1 && !fclose(statm), "errno=%d", errno);
	return pages;
}

/* From between what is in use as well; what is in use stays as it is. */
static void trims(void)
{
	enum { MANY = 128, BYTES_EACH = 100000 };
	void *blocks[MANY];
	size_t before, after;

	for (int i = 0; i < MANY; i++)
		blocks[i] = filled(malloc(BYTES_EACH), BYTES_EACH, i);
	for (int i = 0; i < MANY; i += 2)
		free(blocks[i]);
	before = resident_pages();
	CHECK(malloc_trim(BYTES_EACH) == 1, "nothing was trimmed");
	after = resident_pages();
	CHECK(before > after && before - after > MANY / 2 * 20, "before=%zu after=%zu", before, after);
	for (int i = 0; i < MANY; i++) {
		if (i % 2)
			check_holds(blocks[i], BYTES_EACH, (unsigned char)i);
		else
			check_holds(blocks[i] = calloc(1, BYTES_EACH), BYTES_EACH, 0);
		free(blocks[i]);
	}
}

static size_t resident_pages_of(const char *from, size_t bytes)
{
	unsigned char pages[1024];
	size_t n = 0;

	from += -(uintptr_t)from % 4096;
	CHECK(!mincore((void *)(uintptr_t)from, bytes - 4096, pages), "errno=%d", errno);
	for (size_t i = 0; i < bytes / 4096 - 1; i++)
		n += pages[i] & 1;
	return n;
}

/* Of what is free at the heap's end, so much is left as it is. */
static bool is_padded(void)
{
	enum { BYTES_FREE = 80 * 4096, BYTES_LEFT = 30 * 4096 };
	char *top = filled(malloc(BYTES_FREE), BYTES_FREE, 1);

	free(top);
	malloc_trim(SIZE_MAX);
	malloc_trim(SIZE_MAX - 5000);
	malloc_trim(BYTES_FREE);
	if (resident_pages_of(top, BYTES_FREE) != 79)
		return false;
	malloc_trim(BYTES_LEFT);
	return resident_pages_of(top, BYTES_FREE) == 30;
}

static void mappings(void)
{
	struct mallinfo2 before = mallinfo2(), now;
	void *blocks[5];

	for (int i = 0; i < 5; i++)
		blocks[i] = malloc(8u << 20);
	blocks[0] = realloc(blocks[0], 16u << 20);
	CHECK(posix_memalign(&blocks[1], 1 << 16, 8u << 20) == 0, "aligned");
	now = mallinfo2();
	CHECK(now.hblks == before.hblks + 6 && now.hblkhd - before.hblkhd >= 56u << 20, "hblks=%zu hblkhd=%zu",
	      now.hblks, now.hblkhd);
	CHECK(!now.smblks && !now.usmblks && !now.fsmblks, "usmblks=%zu", now.usmblks);
	CHECK(mallopt(M_MMAP_MAX, (int)now.hblks + 1) == 1, "as many as may be");
	free(malloc(8u << 20));
	CHECK(mallinfo2().hblks == now.hblks, "hblks=%zu", mallinfo2().hblks);
	for (int i = 0; i < 2; i++) {
		void *more[2] = { malloc(8u << 20), filled(malloc(8u << 20), 8u << 20, 1) };

		CHECK(mallinfo2().hblks == now.hblks + 1 - (unsigned)i, "hblks=%zu", mallinfo2().hblks);
		free(more[0]);
		free(more[1]);
		mallopt(M_MMAP_MAX, 0);
	}
	CHECK(mallopt(M_MMAP_MAX, 65536) == 1, "as glibc has it");
}

/* What is filled, and with what, after mallopt(M_PERTURB, 0x5a). */
static void fillings(void)
{
	static const size_t sizes[] = { 40, 1000, 70000, 5 << 20 };
	unsigned char *block;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t bytes = sizes[i];

		free(filled(malloc(bytes), bytes, 1));
		CHECK(mallopt(M_PERTURB, 0x15a) == 1, "filled");
		block = malloc(bytes);
		check_holds(block, malloc_usable_size(block), 0xa5);
		block = realloc(filled(block, bytes, 1), 2 * bytes);
		check_holds(block, bytes, 1);
		check_holds(block + bytes, bytes, i ? 0xa5 : block[bytes]);
		block = realloc(block, bytes / 2);
		check_holds(block, bytes / 2, 1);
		free(block);
		/* The allocator's own words are at the start. */
		if (bytes < 1 << 20)
			check_holds(block + 64, bytes < 128 ? 0 : bytes / 2 - 64, 0x5a);
		check_holds(block = calloc(1, bytes), bytes, 0);
		free(block);
		check_holds(block = memalign(256, bytes), bytes, 0xa5);
		free(block);
		check_holds(block = pvalloc(bytes), bytes, 0xa5);
		free(block);
		mallopt(M_PERTURB, 0);
		block = filled(malloc(bytes), bytes, 1);
		free(block);
		check_holds(block + 64, bytes < 64 || bytes > 1 << 20 ? 0 : bytes - 64, 1);
	}
	CHECK(!malloc(huge), "none to be filled");
}

static void *use(void *bytes)
{
	return filled(malloc((size_t)bytes), (size_t)bytes, 1);
}

/* Values that make no sense are refused where glibc refuses them. Heaps that no thread takes any more are heaps. */
static void parameters(void)
{
	void *blocks[4];
	pthread_t threads[4];
	size_t before = mallinfo2().uordblks;

	for (size_t i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, use, (void *)(1ul << 20)) &&
			      !pthread_join(threads[i], &blocks[i]),
		      "thread");
	CHECK(mallopt(M_ARENA_MAX, 1) == 1 && mallopt(M_ARENA_MAX, -1) == 1 && mallopt(M_ARENA_MAX, 1) == 1, "heaps");
	CHECK(mallinfo2().uordblks >= before + (4u << 20), "uordblks=%zu", mallinfo2().uordblks);
	for (size_t i = 0; i < 4; i++)
		free(blocks[i]);
	CHECK(mallinfo2().uordblks < before + (1u << 20), "uordblks=%zu", mallinfo2().uordblks);
	CHECK(mallopt(M_ARENA_MAX, 0) == 1, "heaps");
	CHECK(!pthread_create(&threads[0], NULL, use, (void *)1000) && !pthread_join(threads[0], &blocks[0]), "thread");
	free(blocks[0]);
	CHECK(mallopt(M_MXFAST, 0) == 1 && mallopt(M_MXFAST, 160) == 1 && !mallopt(M_MXFAST, 161) &&
		      !mallopt(M_MXFAST, -1),
	      "fast bins");
	CHECK(mallopt(M_ARENA_TEST, 2) == 1 && mallopt(M_TOP_PAD, 1 << 20) == 1 && mallopt(M_CHECK_ACTION, 3) == 1 &&
		      mallopt(12345, 1) == 1,
	      "what is of no use here");
}

static void is_in_environment(const char *name, const char *value, const char *what)
{
	int status;
	pid_t child = fork();

	if (!child) {
		setenv(name, value, 1);
		execl("/proc/self/exe", "family", what, NULL);
		_exit(99);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "%s=%s: status=%#x", name, value, status);
}

/* Started with a variable: has it been heard? */
static bool heard(const char *what)
{
	unsigned char *block = malloc(1000);
	void *large;

	if (!strcmp(what, "filled"))
		return block[999] == 0xa5;
	/* Of a heap in which nothing is free but its top. */
	if (!strcmp(what, "trimmed once"))
		return malloc_trim(0) && !malloc_trim(0);
	if (!strcmp(what, "padded"))
		return is_padded();
	if (!strcmp(what, "mapped"))
		return (large = malloc(600000)) && mallinfo2().hblks == 1;
	return (large = malloc(8u << 20)) && mallinfo2().hblks == 0;
}

static void environment(void)
{
	is_in_environment("MALLOC_PERTURB_", "90", "filled");
	is_in_environment("GLIBC_TUNABLES", "glibc.malloc.perturb=0x5a", "filled");
	is_in_environment("MALLOC_MMAP_THRESHOLD_", "131072", "mapped");
	is_in_environment("MALLOC_MMAP_MAX_", "0", "none is mapped");
	is_in_environment("MALLOC_MMAP_THRESHOLD_", "4294967296", "none is mapped");
	is_in_environment("MALLOC_MMAP_MAX_", "65536", "trimmed once");
	is_in_environment("MALLOC_MMAP_MAX_", "65536", "padded");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return !heard(argv[1]);
	too_much();
	nothing();
	alignments();
	zeros();
	resizes();
	other_threads();
	figures();
	said();
	trims();
	mappings();
	fillings();
	parameters();
	environment();
	return 0;
}
