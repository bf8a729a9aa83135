/* SPDX-License-Identifier: Apache-2.0 */
/* A program of somebody else, who has UPA's headers and library alone. */
#include <stdio.h>
#include <string.h>

#include <upa/llfree.h>
#include <upa/mman.h>
#include <upa/region.h>
#include <upa/trace.h>
#include <upa/version.h>
#include <upa/view.h>

int main(void)
{
	struct upa_region *region;
	char *block;

	if (strcmp(upa_version(), UPA_VERSION) || upa_region_create(&region, 64ull << 20, 0))
		return 1;
	block = upa_region_map(region, 1 << 20, UPA_MAP_ZEROS);
	if (!block || block[12345])
		return 1;
	memset(block, 1, 1 << 20);
	if (upa_region_unmap(region, block, 1 << 20) || upa_region_destroy(region))
		return 1;
	printf("consumer of upa %s\n", upa_version());
	return 0;
}
