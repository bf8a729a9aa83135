/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "pager/moves.h"

#include <errno.h>

#include "os/os.h"
#include "os/page.h"
#include "pager/uffd.h"

#define TRIES 16 /* a move may be disturbed by other threads; or by an event, which is not over soon */

/*
 * What is in a slot is its page. Linux 6.18 to 7.2 may move pages without counting them, and find their slots taken the
 * next moment: if a page changes while they look at it, as it does under reclaim. ("userfaultfd: reset err to be 0 when
 * move_pages_ptes succeeded" ends it.)
 */
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
			result[done++] = moved == -EEXIST ? 0 : moved ? (int32_t)moved : -EAGAIN;
			tries = 0;
		}
	}
}
