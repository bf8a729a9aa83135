/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_growth.c - a program whose use of memory goes over from mappings to the heap, as PostgreSQL's and ImageMagick's
 * does: what it has freed of the one must not stay resident while it takes the other. Exit status 1 if the peak is more
 * than a quarter above its use.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB (1l << 20)
#define USE (64 * MIB)
#define STEP (MIB / 2)

int main(void)
{
	struct rusage usage;
	long first;
	char *p = mmap(NULL, USE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 2;
	memset(p, 1, USE);
	munmap(p, USE);
	getrusage(RUSAGE_SELF, &usage);
	first = usage.ru_maxrss;
	for (long done = 0; done < USE; done += STEP) {
		p = sbrk(STEP);
		if (p == (void *)-1)
			return 2;
		memset(p, 1, STEP);
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("peak=%ld KiB after mappings, %ld KiB after the heap\n", first, usage.ru_maxrss);
	return usage.ru_maxrss > first + first / 4;
}
