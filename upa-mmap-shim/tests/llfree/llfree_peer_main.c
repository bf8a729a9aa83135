/* SPDX-License-Identifier: Apache-2.0 */
/* llfree_peer_main.c - runs llfree_peer_run() on a file: a process that tests start beside themselves, and kill. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "llfree_peer.h"

int main(int argc, char **argv)
{
	struct stat st;
	int64_t faults;
	void *memory;
	int fd;

	if (argc != 6) {
		fprintf(stderr, "usage: llfree_peer FILE FIRST_ID THREADS OPERATIONS SEED\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR);
	if (fd < 0 || fstat(fd, &st)) {
		perror(argv[1]);
		return 1;
	}
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED, "file=%s", argv[1]);
	puts("ready");
	fflush(stdout);
	faults = llfree_peer_run(memory, (uint64_t)st.st_size, (uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]),
				 strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
	if (faults)
		fprintf(stderr, "llfree_peer: faults=%" PRId64 "\n", faults);
	return faults ? 1 : 0;
}
