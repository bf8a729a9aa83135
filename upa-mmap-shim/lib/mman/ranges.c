/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "mman/ranges.h"

int upa_surrender(struct upa_region *r, char *address, size_t length)
{
	struct range gap;

	while (upa_region_next(r, address, length, true, &gap)) {
		int error = upa_region_claim(r, gap.address, gap.bytes);

		/* On the device it takes memory. */
		if (error && error != -EBUSY)
			return error;
	}
	return 0;
}

long upa_move_into(struct upa_region *r, void *made, size_t length, char *to)
{
	struct range part;

	if (inside(r, to, length, &part)) {
		if (upa_region_make_ordinary(r))
			return -EINVAL;
		upa_surrender(r, part.address, part.bytes);
		upa_region_taint(r, part.address, part.bytes);
	}
	return os_mremap(made, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}
