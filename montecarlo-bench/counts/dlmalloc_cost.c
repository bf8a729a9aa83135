/*
 * What a block costs a program: dlmalloc 2.8.6, unmodified, on the kernel's mmap and on each back end of UPA's C
 * library. Blocks of 64 KiB to 64 MiB; below 256 KiB they come from dlmalloc's heap, from there on each is a mapping of
 * its own.
 *
 * Backends: kernel, without huge pages; linear, pte and pte-raw, which hand out old bytes (as malloc may); the same
 * with -cleared, which clear what is not zero, as mmap must; and with -undeferred, where a block that is freed loses
 * its mapping, as it does on the kernel (UPA_DEFERRED_BYTES=0). Operations, each of one block:
 *   first     allocate, touch (one store for each 4 KiB) and free, for the first time: memory comes from the kernel, or
 *   the pool grows
 *   allocate, touch, free    the same again, apart; cycle: all three
 *   realloc   to twice this size, all of the first half touched, something behind it, nothing of the second half
 *   touched
 *   mixed     a step of a program that holds 16 blocks of random sizes (64 KiB to 4 MiB): free one, allocate and touch
 *   another; bytes
 *             is the mean size. 64 MiB were in use before
 *
 * Without UPA_FULL in the environment: blocks up to 16 MiB and three rounds instead of five.
 *
 * Usage: dlmalloc_cost [DIRECTORY]     of libdlmalloc_*.so and libupa.so; /driver/lib by default, where run-bench has
 * them
 */
#include <dlfcn.h>
#include <sys/wait.h>

#include "measure.h"

static void *(*allocate)(size_t);
static void (*release)(void *);
static void *(*reallocate)(void *, size_t);

static const char *backend;

#define MOST_ROUNDS 5
#define ROUNDS (FULL ? MOST_ROUNDS : 3)
#define LARGEST (FULL ? 64 * MIB : 16 * MIB)

static uint64_t cycle(uint64_t bytes, uint64_t *allocated, uint64_t *touched, uint64_t *freed)
{
	uint64_t start = counter();
	unsigned char *block = allocate(bytes);

	*allocated = since(start);
	NEED(block);
	start = counter();
	touch(block, bytes / PAGE);
	*touched = since(start);
	start = counter();
	release(block);
	*freed = since(start);
	return *allocated + *touched + *freed;
}

static void realloc_twice(uint64_t bytes)
{
	uint64_t v[MOST_ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		unsigned char *block = allocate(bytes), *behind = allocate(256 << 10), *grown;
		uint64_t start;

		NEED(block && behind);
		touch(block, bytes / PAGE);
		start = counter();
		grown = reallocate(block, 2 * bytes);
		v[round] = since(start);
		NEED(grown);
		release(grown);
		release(behind);
	}
	record("dlmalloc", backend, "realloc", bytes / PAGE, 0, typical(v, ROUNDS));
}

static void fixed_sizes(void)
{
	const char *names[] = { "allocate", "touch", "free", "cycle" };

	for (uint64_t bytes = 64 << 10; bytes <= LARGEST; bytes *= 4) {
		uint64_t v[4][MOST_ROUNDS];

		record("dlmalloc", backend, "first", bytes / PAGE, 0, cycle(bytes, &v[0][0], &v[1][0], &v[2][0]));
		for (int round = 0; round < ROUNDS; round++)
			v[3][round] = cycle(bytes, &v[0][round], &v[1][round], &v[2][round]);
		for (int i = 0; i < 4; i++)
			record("dlmalloc", backend, names[i], bytes / PAGE, 0, typical(v[i], ROUNDS));
		if (bytes <= 16 * MIB)
			realloc_twice(bytes);
	}
}

#define HELD 16
#define STEPS 400
#define HEAP_BYTES (256 << 10) /* blocks below come from dlmalloc's heap */

static uint64_t random_number(void)
{
	static uint64_t seed = 1;

	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed >> 33;
}

static void mixed_sizes(void)
{
	unsigned char *held[HELD] = { 0 };
	uint64_t pages = 0, start = 0, unused;

	/* What a back end keeps is then enough for all blocks. */
	if (strcmp(backend, "kernel"))
		cycle(64 * MIB, &unused, &unused, &unused);
	/*
	 * The first half is for getting there. The kernel keeps nothing of a mapping, so only the heap need be touched
	 * there.
	 */
	for (int step = 0; step < 2 * STEPS; step++) {
		uint64_t i = random_number() % HELD, bytes = (64 << 10) << random_number() % 6;

		bytes += random_number() % (bytes / PAGE) * PAGE;
		if (step == STEPS) {
			pages = 0;
			start = counter();
		}
		if (held[i])
			release(held[i]);
		held[i] = allocate(bytes);
		NEED(held[i]);
		if (step >= STEPS || bytes < HEAP_BYTES || strcmp(backend, "kernel"))
			touch(held[i], bytes / PAGE);
		pages += bytes / PAGE;
	}
	record("dlmalloc", backend, "mixed", pages / STEPS, 0, since(start) / STEPS);
}

/* The program again, for one back end: a process has one region. */
static void run(const char *program, const char *directory, const char *name, const char *library)
{
	char path[512], variable[64];
	pid_t child = fork();
	int status;

	NEED(child >= 0);
	if (!child) {
		snprintf(path, sizeof(path), "%s/%s", directory, library);
		snprintf(variable, sizeof(variable), "%s", name);
		if (strstr(variable, "-cleared"))
			*strstr(variable, "-cleared") = 0;
		if (strstr(variable, "-undeferred")) {
			*strstr(variable, "-undeferred") = 0;
			NEED(setenv("UPA_DEFERRED_BYTES", "0", 1) == 0);
		}
		if (strcmp(name, "kernel"))
			NEED(setenv("UPA_BACKEND", variable, 1) == 0);
		NEED(setenv("LD_LIBRARY_PATH", directory, 1) == 0 && setenv("UPA_REGION_BYTES", "2G", 1) == 0);
		execl(program, program, directory, name, path, (char *)NULL);
		NEED(!"execl");
	}
	NEED(waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv)
{
	const char *directory = argc > 1 ? argv[1] : "/driver/lib";
	void *library;

	calibrate();
	allow_huge_pages(false);
	if (argc < 4) {
		header();
		run("/proc/self/exe", directory, "kernel", "libdlmalloc_kernel.so");
		run("/proc/self/exe", directory, "linear", "libdlmalloc_upa_uncleared.so");
		run("/proc/self/exe", directory, "linear-cleared", "libdlmalloc_upa.so");
		run("/proc/self/exe", directory, "pte", "libdlmalloc_upa_uncleared.so");
		run("/proc/self/exe", directory, "pte-cleared", "libdlmalloc_upa.so");
		run("/proc/self/exe", directory, "pte-raw", "libdlmalloc_upa_uncleared.so");
		run("/proc/self/exe", directory, "pte-raw-cleared", "libdlmalloc_upa.so");
		run("/proc/self/exe", directory, "pte-undeferred", "libdlmalloc_upa_uncleared.so");
		run("/proc/self/exe", directory, "pte-raw-undeferred", "libdlmalloc_upa_uncleared.so");
		return 0;
	}
	backend = argv[2];
	library = dlopen(argv[3], RTLD_NOW);
	if (!library) {
		fprintf(stderr, "dlmalloc_cost: %s\n", dlerror());
		return 1;
	}
	allocate = (void *(*)(size_t))dlsym(library, "dlmalloc");
	release = (void (*)(void *))dlsym(library, "dlfree");
	reallocate = (void *(*)(void *, size_t))dlsym(library, "dlrealloc");
	NEED(allocate && release && reallocate);
	if (strcmp(backend, "kernel")) {
		void *(*region)(void) = (void *(*)(void))dlsym(RTLD_DEFAULT, "upa_mman_region");

		if (!region)
			region = (void *(*)(void))dlsym(library, "upa_mman_region");
		NEED(region && region());
	}
	fixed_sizes();
	mixed_sizes();
	return 0;
}
