/* SPDX-License-Identifier: Apache-2.0 */
/* Where nobody pages: the preloaded library has a upa_hint() of its own, which is found first. */
#include "mman/hint_check.h"

int upa_hint(const void *address, size_t length, enum upa_hint_kind kind, int priority)
{
	(void)address;
	(void)length;
	return hint_makes_sense(kind, priority) ? 0 : -EINVAL;
}
