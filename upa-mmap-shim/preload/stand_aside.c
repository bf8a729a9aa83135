/* SPDX-License-Identifier: Apache-2.0 */
#include "stand_aside.h"

#include <stdbool.h>
#include <stddef.h>

#include "agent/agent.h"
#include "gate.h"
#include "observe/outlook.h"
#include "observe/statistics.h"
#include "observe/trace_writer.h"
#include "os/filter.h"
#include "pager/pager.h"
#include "settings.h"
#include "upkeep/facts.h"
#include "upkeep/heap.h"
#include "upkeep/purging.h"

struct row {
	bool region;      /* no request is served any more, and every page of the region is the kernel's */
	bool heap;        /* brk() is the kernel's, and what is kept beyond the program's break goes back */
	bool purging;     /* MADV_DONTNEED is the kernel's */
	bool huge;        /* nothing is advised to be huge pages */
	bool files;       /* no file is read any more, so resident memory and pressure are not known */
	bool trace;       /* the trace does not grow any more */
	bool outlook;     /* said at once: UPA serves nothing, and by nobody's wish */
	const char *note; /* in the statistics; NULL: none */
};

enum { _, X };

/*
 * An omission is meant: limits count addresses, and purging in place takes none. What hands memory to somebody else
 * (ZEROCOPY, SPLICED) stops whatever hands out or clears pages that the program has given up; of SPLICED, the region
 * and the heap see to their own pages. FAULTS: memory fresh from mmap() must fault, and registrations end with
 * munmap(). INHERITED: purging asks what the filter may not know; the region does not (os/filter.h). Page-wise reasons
 * stop purging only: of the region's pages a mark is kept (taint).
 */
/* clang-format off */
static const struct row rows[ASIDE_REASONS] = {
	/*                        region
	 *                        |  heap
	 *                        |  |  purging
	 *                        |  |  |  huge
	 *                        |  |  |  |  files
	 *                        |  |  |  |  |  trace
	 *                        |  |  |  |  |  |  outlook
	 *                        |  |  |  |  |  |  |  note */
	[ASIDE_OFF]           = { X, X, X, X, _, _, _, "UPA_OFF=1" },
	[ASIDE_PAGE_SIZE]     = { X, X, X, X, X, _, X, "the kernel's pages have more than 4096 bytes" },
	[ASIDE_SANITIZER]     = { X, X, X, X, _, _, X, "the program runs under a sanitizer" },
	[ASIDE_ADDRESS_LIMIT] = { X, X, X, X, _, _, X, "the address space is limited (ulimit -v)" },
	[ASIDE_DATA_LIMIT]    = { X, X, X, X, _, _, X, "the data size is limited (ulimit -d)" },
	[ASIDE_LIMITED]       = { X, X, _, _, _, X, _, "the program limits its addresses: the kernel serves" },
	[ASIDE_REFUSED]       = { X, X, _, _, _, X, _, "a limit from outside is met: the kernel serves" },
	[ASIDE_LOCKED_WHOLE]  = { X, X, X, X, _, X, _, "mlockall(): the kernel serves" },
	[ASIDE_FILTERED]      = { X, X, X, X, X, X, _, "the program announces a filter: the kernel serves" },
	[ASIDE_INHERITED]     = { _, _, X, X, _, _, _, "a filter over system calls: purges are the kernel's" },
	[ASIDE_ZEROCOPY]      = { X, X, X, X, _, _, _, "SO_ZEROCOPY: the kernel serves" },
	[ASIDE_FAULTS]        = { X, X, X, X, _, _, _, "userfaultfd: the kernel serves" },
	[ASIDE_SEALED]        = { X, X, X, X, _, _, _, "mseal(): the kernel serves" },
	[ASIDE_PINNED]        = { X, X, X, X, _, _, _, "io_uring, AIO, AF_XDP, RDMA or a device: the kernel serves" },
	[ASIDE_EXECUTABLE]    = { X, X, _, _, _, _, _, "personality(READ_IMPLIES_EXEC): the kernel serves" },
	[ASIDE_GROWING]       = { X, _, _, _, _, _, _, "MAP_GROWSDOWN at an address: the kernel serves" },
	[ASIDE_LOCKED]        = { _, _, X, X, _, _, _, NULL },
	[ASIDE_GUARDED]       = { _, _, X, X, _, _, _, NULL },
	[ASIDE_KEYED]         = { _, _, X, X, _, _, _, NULL },
	[ASIDE_SPLICED]       = { _, _, X, X, _, _, _, NULL },
	[ASIDE_NO_HUGE_PAGES] = { _, _, _, X, _, _, _, NULL },
};
/* clang-format on */

void stand_aside(enum stand_aside_reason reason)
{
	const struct row *row = &rows[reason];

	if (row->note)
		statistics_note(row->note);
	if (row->outlook)
		outlook_nothing(row->note);
	/* Nothing is kept any more. */
	if (row->region && row->heap)
		agent_stop();
	if (row->region) {
		pager_leave();
		gate_close();
	}
	if (row->heap)
		heap_stop();
	if (row->purging)
		purging_stop();
	if (row->huge)
		settings.huge = false;
	if (row->files) {
		os_announce_filter();
		facts_stop();
		statistics_stop_reading();
	}
	if (row->trace)
		trace_stop_growing();
}
