/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "pager/moves.h"

#include <errno.h>
#include <stdbool.h>

#include "os/filter.h"
#include "os/os.h"
#include "os/page.h"
#include "pager/uffd.h"

#define TRIES 16 /* a move may be disturbed by other threads; or by an event, which is not over soon */

/*
 * What is in a slot is its page. Linux 6.18 to 7.2 may move pages without counting them, and find their slots taken the
 * next moment: if a page changes while they look at it, as it does under reclaim. ("userfaultfd: reset err to be 0 when
 * move_pages_ptes succeeded" ends it.) Other refusals come before they look at slots: while an event is to be told, and
 * of a mapping that is no longer writable.
 */
static bool is_moved(long error, char *slot)
{
	unsigned char resident = 0;

	return error == -EEXIST ||
	       ((error == -EAGAIN || error == -EINVAL) && !os_resident(slot, PAGE_BYTES, &resident) && resident & 1);
}

void moves_run(int uffd, char *to, char *from, uint32_t n, int32_t *result)
{
	uint32_t done = 0, most = n;
	int tries = 0;

	while (done < n) {
		uint32_t some = n - done < most ? n - done : most;
		long moved = uffd_move(uffd, to + done * PAGE_BYTES, from + done * PAGE_BYTES, some * PAGE_BYTES);

		if (moved > 0) {
			for (uint32_t k = 0; k < (uint64_t)moved / PAGE_BYTES; k++)
				result[done++] = 0;
			tries = 0;
			most = n;
		} else if (moved == -EINVAL && some > 1) {
			/* A mapping may end among them: the kernel then refuses them all. */
			most = 1;
		} else if (moved != -EAGAIN || ++tries == TRIES) {
			long error = moved ? moved : -EAGAIN;

			result[done] = is_moved(error, to + done * PAGE_BYTES) ? 0 : (int32_t)error;
			done++;
			tries = 0;
		}
	}
}
