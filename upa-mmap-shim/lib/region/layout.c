/* SPDX-License-Identifier: Apache-2.0 */
#include "region/layout.h"

#include <errno.h>
#include <string.h>

#include "region/types.h"

bool upa_region_lay_out(struct region_header *h, uint64_t bytes, uint32_t slots, bool shared)
{
	if (!bytes || bytes > UPA_MAX_PAGES * PAGE_BYTES || !slots || slots > UPA_MAX_SLOTS)
		return false;
	*h = (struct region_header){ .magic = UPA_REGION_MAGIC, .abi = UPA_REGION_ABI, .slots = slots };
	h->data_bytes = round_up(bytes, CHILD_BYTES);
	h->state_offset = round_up(PAGE_BYTES + slots * sizeof(struct region_counters), PAGE_BYTES);
	h->state_bytes = upa_llfree_state_size(h->data_bytes / PAGE_BYTES, slots);
	h->data_offset = shared ? round_up(upa_region_metadata_bytes(h), CHILD_BYTES) : 0;
	h->file_bytes = shared ? h->data_offset + h->data_bytes : 0;
	return true;
}

size_t upa_region_metadata_bytes(const struct region_header *h)
{
	return round_up(h->state_offset + h->state_bytes, PAGE_BYTES);
}

int upa_region_check_header(const struct region_header *h, size_t got, uint64_t file_bytes)
{
	struct region_header expected;

	if (got < sizeof(h->magic) || h->magic != UPA_REGION_MAGIC)
		return -EBADMSG;
	if (got < sizeof(*h))
		return -ERANGE;
	if (h->abi != UPA_REGION_ABI)
		return -EPROTO;
	if (!upa_region_lay_out(&expected, h->data_bytes, h->slots, true) || memcmp(h, &expected, sizeof(*h)) ||
	    file_bytes < h->file_bytes)
		return -ERANGE;
	return 0;
}
