/* SPDX-License-Identifier: Apache-2.0 */
#include "upkeep/zero.h"

#include "os/clear.h"
#include "os/filter.h"
#include "os/os.h"
#include "os/page.h"

/* Below so many pages clearing is cheaper than asking the kernel which of them have memory. */
#define ASK_PAGES 32ul
#define BATCH_PAGES 2048ul

static uintptr_t zero_batch(uintptr_t from, size_t pages)
{
	unsigned char resident[BATCH_PAGES];
	uintptr_t start = from;

	if (pages < ASK_PAGES || os_resident((void *)from, pages * PAGE_BYTES, resident)) {
		upa_clear((void *)from, pages * PAGE_BYTES);
		return start;
	}
	for (size_t i = 0, n; i < pages; i += n) {
		void *at = (void *)(from + i * PAGE_BYTES);

		for (n = 1; i + n < pages && (resident[i + n] & 1) == (resident[i] & 1); n++)
			;
		/* Not resident may also mean swapped out. */
		if (resident[i] & 1 || os_madvise(at, n * PAGE_BYTES, MADV_DONTNEED))
			upa_clear(at, n * PAGE_BYTES);
		else
			start = from + (i + n) * PAGE_BYTES;
	}
	return start;
}

uintptr_t zero_pages(uintptr_t from, uintptr_t to)
{
	uintptr_t start = from;

	while (from < to) {
		size_t pages = (to - from) / PAGE_BYTES < BATCH_PAGES ? (to - from) / PAGE_BYTES : BATCH_PAGES;
		uintptr_t batch = zero_batch(from, pages);

		start = batch > from ? batch : start;
		from += pages * PAGE_BYTES;
	}
	return start;
}
