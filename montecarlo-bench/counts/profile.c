/*
 * Single operations, over and over, for run-profile to trace: each lies between a call of mark_begin and one of
 * mark_end. Says "ready NAME" on stdout, then repeats the operation for about as many instructions as a tracer needs to
 * come and go.
 */
#include "measure.h"

#define LOOP 400000000ULL
#define BLOCK 512 /* pages of 2 MiB */
#define BLOCKS 8
#define FEW 64

__attribute__((noinline)) void mark_begin(void)
{
	__asm__ volatile("" ::: "memory");
}
__attribute__((noinline)) void mark_end(void)
{
	__asm__ volatile("" ::: "memory");
}

#define REPEAT(name, prepare, operation, clean_up)                                                                     \
	do {                                                                                                           \
		uint64_t start;                                                                                        \
		printf("ready %s\n", name);                                                                            \
		fflush(stdout);                                                                                        \
		for (start = counter(); since(start) < LOOP;) {                                                        \
			prepare;                                                                                       \
			mark_begin();                                                                                  \
			operation;                                                                                     \
			mark_end();                                                                                    \
			clean_up;                                                                                      \
		}                                                                                                      \
	} while (0)

static unsigned char *map(uint64_t pages)
{
	unsigned char *data = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(data != MAP_FAILED);
	return data;
}

static void kernel(void)
{
	unsigned char *data, *huge = reserve(4 * MIB, 2 * MIB);

	allow_huge_pages(false);
	REPEAT("kernel: mmap of one page", , data = map(1), munmap(data, PAGE));
	REPEAT("kernel: first touch of one page", data = map(1), *data = 1, munmap(data, PAGE));
	REPEAT("kernel: munmap of one page that was touched", data = map(1); *data = 1, munmap(data, PAGE), );
	REPEAT("kernel: munmap of 64 pages that were touched", data = map(FEW);
	       touch(data, FEW), munmap(data, FEW * PAGE), );
	allow_huge_pages(true);
	NEED(madvise(huge, 2 * MIB, MADV_HUGEPAGE) == 0);
	NEED(mprotect(huge, 2 * MIB, PROT_READ | PROT_WRITE) == 0);
	REPEAT("kernel: first touch of a huge page", , *huge = 1, NEED(madvise(huge, 2 * MIB, MADV_DONTNEED) == 0));
}

static void fill(struct region *r, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		*(volatile uint32_t *)&r->shadow[i] = (uint32_t)i + 1;
}

static void module(void)
{
	struct region r;

	NEED(make_region(&r, UPADEV_GUARDED, 0, BLOCK, BLOCK));
	fill(&r, BLOCK);
	REPEAT("guarded: 64 pages installed by posix_fadvise()", , one_range(&r, POSIX_FADV_WILLNEED, 0, FEW),
	       one_range(&r, POSIX_FADV_DONTNEED, 0, FEW));
	REPEAT("guarded: 64 pages emptied by posix_fadvise()", one_range(&r, POSIX_FADV_WILLNEED, 0, FEW),
	       one_range(&r, POSIX_FADV_DONTNEED, 0, FEW), );
	REPEAT("guarded: a fault that installs 512 pages", , *(volatile unsigned char *)r.data = 1,
	       one_range(&r, POSIX_FADV_DONTNEED, 0, BLOCK));
	destroy_region(&r);
	NEED(make_region(&r, UPADEV_GUARDED, UPADEV_CREATE_BLOCKS, BLOCKS * BLOCK, BLOCKS * BLOCK));
	for (uint32_t i = 0; i < BLOCKS; i++)
		r.shadow[i * BLOCK] = UPADEV_SHADOW_BLOCK | i;
	REPEAT("guarded: 8 blocks of 2 MiB installed by posix_fadvise()", ,
	       one_range(&r, POSIX_FADV_WILLNEED, 0, BLOCKS * BLOCK),
	       one_range(&r, POSIX_FADV_DONTNEED, 0, BLOCKS * BLOCK));
	REPEAT("guarded: 8 blocks of 2 MiB emptied by posix_fadvise()",
	       one_range(&r, POSIX_FADV_WILLNEED, 0, BLOCKS * BLOCK),
	       one_range(&r, POSIX_FADV_DONTNEED, 0, BLOCKS * BLOCK), );
	destroy_region(&r);
	if (!make_region(&r, UPADEV_RAW_PTE, 0, BLOCK, BLOCK))
		return;
	REPEAT("raw: fsync() after one page", r.tables[0] = r.entries[0]; *(volatile unsigned char *)r.data = 1;
	       r.tables[0] = 0, NEED(fsync(r.fd) == UPADEV_DONE), );
	destroy_region(&r);
}

int main(void)
{
	calibrate();
	if (!counting) {
		fprintf(stderr, "profile: the clock does not count instructions: use run --icount\n");
		return 1;
	}
	module();
	kernel();
	return 0;
}
