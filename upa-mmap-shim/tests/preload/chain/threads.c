/* SPDX-License-Identifier: Apache-2.0 */
/* A library that makes a thread when it starts, as OpenBLAS and heaptrack do. It maps and unmaps until the end. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

static void *maps(void *unused)
{
	for (;;) {
		void *block = mmap(NULL, 1ul << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (block == MAP_FAILED || madvise(block, 4096, MADV_DONTNEED) || mprotect(block, 1ul << 20, PROT_READ))
			abort();
		block = mremap(block, 1ul << 20, 2ul << 20, MREMAP_MAYMOVE);
		if (block == MAP_FAILED || munmap(block, 2ul << 20))
			abort();
		free(malloc(200000));
	}
	return unused;
}

__attribute__((constructor)) static void start(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, maps, NULL))
		abort();
}
