/* SPDX-License-Identifier: Apache-2.0 */
#include "region/mapping.h"

#include "region/types.h"

int upa_map(void **out, void *address, size_t bytes, int protection, int flags, int fd, uint64_t offset)
{
	long result = os_mmap(address, bytes, protection, flags, fd, (off_t)offset);

	if (os_failed(result))
		return (int)result;
	*out = (void *)result;
	return 0;
}

int upa_map_aligned(void **out, size_t bytes, int flags, int fd, uint64_t offset)
{
	void *wide;
	int error = upa_map(&wide, NULL, bytes + CHILD_BYTES, PROT_NONE, MAP_SPARSE, -1, 0);
	char *base;

	if (error)
		return error;
	base = (char *)round_up((uintptr_t)wide, CHILD_BYTES);
	error = upa_map(out, base, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, offset);
	if (error) {
		os_munmap(wide, bytes + CHILD_BYTES);
		return error;
	}
	if (base > (char *)wide)
		os_munmap(wide, (size_t)(base - (char *)wide));
	os_munmap(base + bytes, (size_t)((char *)wide + CHILD_BYTES - base));
	return 0;
}
