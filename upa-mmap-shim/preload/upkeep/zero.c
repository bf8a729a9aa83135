/* SPDX-License-Identifier: Apache-2.0 */
#include "upkeep/zero.h"

#include "os/clear.h"
#include "os/page.h"

uintptr_t zero_pages(uintptr_t from, uintptr_t to)
{
	if (to - from >= ASK_PAGES * PAGE_BYTES)
		return (uintptr_t)upa_clear_resident((void *)from, to - from).resident;
	upa_clear((void *)from, to - from);
	return from;
}
