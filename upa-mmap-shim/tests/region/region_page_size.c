/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel with pages of 64 KiB, played by a getauxval() of our own: no region can be made, mmap() is the kernel's, and
 * the preloaded library stands aside and says so, which ctest looks for.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <upa/mman.h>
#include <upa/region.h>

#include "check.h"

__attribute__((visibility("default"))) unsigned long getauxval(unsigned long type)
{
	unsigned long (*next)(unsigned long) = (__typeof__(next))dlsym(RTLD_NEXT, "getauxval");

	return type == AT_PAGESZ ? 65536 : next(type);
}

int main(int argc, char **argv)
{
	struct upa_region *region = NULL;
	char path[] = "/tmp/region_page_size.XXXXXX";
	char *block;

	if (argc > 1) {
		setenv("LD_PRELOAD", argv[1], 1);
		setenv("UPA_LAUNCHED", "0", 1);
		unsetenv("UPA_STATS");
		execl(argv[0], argv[0], NULL);
		return EXIT_FAILURE;
	}
	CHECK(upa_region_create(&region, 64 << 20, 0) == -ENOTSUP && !region, "created");
	CHECK(mkstemp(path) >= 0 && !unlink(path), "path=%s", path);
	CHECK(upa_region_create_shared(&region, path, 64 << 20, 0) == -ENOTSUP && access(path, F_OK), "path=%s", path);
	block = upa_mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(block != MAP_FAILED, "errno=%d", errno);
	memset(block, 1, 4 << 20);
	CHECK(!upa_munmap(block, 4 << 20), "errno=%d", errno);
	return 0;
}
