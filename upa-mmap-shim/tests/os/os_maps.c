/* SPDX-License-Identifier: Apache-2.0 */
/* os_maps.c - what is ordinary memory and what is not, at each end of a range; and how many mappings there are. */
#include "os/maps.h"

#include <string.h>

#include "check.h"
#include "os/page.h"

static char *map(size_t pages, int protection, int flags, int fd)
{
	char *p = mmap(NULL, pages * PAGE_BYTES, protection, flags, fd, 0);

	CHECK(p != MAP_FAILED, "errno=%d", errno);
	return p;
}

static void replace(char *at, size_t pages, int protection, int flags, int fd)
{
	CHECK(mmap(at, pages * PAGE_BYTES, protection, flags | MAP_FIXED, fd, 0) == at, "errno=%d", errno);
}

int main(void)
{
	const int ordinary = MAP_PRIVATE | MAP_ANONYMOUS;
	/* Between two guards, so that the kernel joins it with nothing. */
	char *range = map(66, PROT_NONE, ordinary, -1) + PAGE_BYTES;
	size_t before;
	int fd = open("/proc/self/exe", O_RDONLY);

	replace(range, 64, PROT_READ | PROT_WRITE, ordinary, -1);
	CHECK(maps_ordinary(range, 64 * PAGE_BYTES), "as it was made");
	CHECK(maps_ordinary(range, 1) && maps_ordinary(range + 63 * PAGE_BYTES, PAGE_BYTES), "a page at either end");
	CHECK(!maps_ordinary(range - PAGE_BYTES, 2 * PAGE_BYTES), "a guard before");
	CHECK(!maps_ordinary(range, 65 * PAGE_BYTES), "a guard behind");

	before = maps_count();
	CHECK(before > 5, "count=%zu", before);
	CHECK(!mprotect(range + 8 * PAGE_BYTES, PAGE_BYTES, PROT_READ), "errno=%d", errno);
	CHECK(maps_count() == before + 2, "count=%zu before=%zu", maps_count(), before);
	CHECK(!maps_ordinary(range, 64 * PAGE_BYTES) && !maps_ordinary(range + 8 * PAGE_BYTES, PAGE_BYTES),
	      "read-only");
	CHECK(maps_ordinary(range, 8 * PAGE_BYTES) && maps_ordinary(range + 9 * PAGE_BYTES, 55 * PAGE_BYTES),
	      "beside it");
	CHECK(!mprotect(range + 8 * PAGE_BYTES, PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC), "errno=%d", errno);
	CHECK(!maps_ordinary(range + 8 * PAGE_BYTES, PAGE_BYTES), "executable");
	CHECK(!mprotect(range + 8 * PAGE_BYTES, PAGE_BYTES, PROT_WRITE), "errno=%d", errno);
	CHECK(!maps_ordinary(range + 8 * PAGE_BYTES, PAGE_BYTES), "write-only");
	replace(range + 8 * PAGE_BYTES, 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	CHECK(!maps_ordinary(range + 8 * PAGE_BYTES, PAGE_BYTES), "shared");
	replace(range + 8 * PAGE_BYTES, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	CHECK(!maps_ordinary(range + 8 * PAGE_BYTES, PAGE_BYTES), "of a file");
	munmap(range + 8 * PAGE_BYTES, PAGE_BYTES);
	CHECK(!maps_ordinary(range, 9 * PAGE_BYTES) && !maps_ordinary(range + 8 * PAGE_BYTES, 2 * PAGE_BYTES),
	      "a hole");
	replace(range + 8 * PAGE_BYTES, 1, PROT_READ | PROT_WRITE, ordinary, -1);
	CHECK(maps_ordinary(range, 64 * PAGE_BYTES), "as it was");

	/* Several mappings in a row, all of them ordinary. */
	CHECK(!madvise(range + 20 * PAGE_BYTES, 4 * PAGE_BYTES, MADV_NOHUGEPAGE), "errno=%d", errno);
	CHECK(maps_ordinary(range, 64 * PAGE_BYTES), "in pieces");
	close(fd);
	return 0;
}
