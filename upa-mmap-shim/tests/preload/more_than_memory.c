/* SPDX-License-Identifier: Apache-2.0 */
/*
 * more_than_memory.c - a program that asks for more memory than the machine has, in large blocks that it hardly uses:
 * the region serves as much as the machine has, and the kernel the rest; small requests, and large ones when the others
 * are free again, are the region's as before. Exit status 1 if not, 77 where the kernel promises no more than there is.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCKS 16
#define PART 6 /* of the machine's memory: so many blocks are served at most */

static char *map(size_t bytes)
{
	char *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (block == MAP_FAILED)
		_exit(77);
	block[0] = 1;
	return block;
}

/* What the region serves can be read after munmap(), but not by a pointer, which might fault. */
static bool was_served(char *block, size_t bytes)
{
	char byte;
	struct iovec to = { &byte, 1 }, from = { block, 1 };

	munmap(block, bytes);
	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

int main(void)
{
	size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * 4096, bytes = memory / PART & ~4095ul;
	char *blocks[BLOCKS], *small;
	int served = 0, failed = 0;

	if (bytes < 64ul << 20)
		return 77;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < BLOCKS; i++)
			blocks[i] = map(bytes);
		small = map(1 << 20);
		failed |= !was_served(small, 1 << 20);
		served = 0;
		for (int i = 0; i < BLOCKS; i++)
			served += was_served(blocks[i], bytes);
		printf("served %d of %d blocks of %zu KiB, memory of %zu KiB\n", served, BLOCKS, bytes >> 10,
		       memory >> 10);
		failed |= served < PART - 1 || served > PART;
	}
	return failed;
}
