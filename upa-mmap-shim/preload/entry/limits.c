/* SPDX-License-Identifier: Apache-2.0 */
#include "entry/limits.h"

#include <errno.h>
#include <stdatomic.h>

#include "gate.h"
#include "os/file.h"
#include "os/filter.h"
#include "os/rlimit.h"
#include "os/os.h"
#include "stand_aside.h"
#include "upkeep/heap.h"

/* Does the machine promise no more memory than it has? Then it counts what is mapped, whether used or not. */
static bool commits(void)
{
	char mode[4];

	return !os_filtered() && file_read("/proc/sys/vm/overcommit_memory", mode, sizeof(mode)) && mode[0] == '2';
}

/* Is anything mapped that the program has not asked for? */
static bool holds_more(void)
{
	struct heap_breaks breaks = heap_breaks();

	return gate_region() || breaks.kernel > breaks.program;
}

enum { NOT_MADE, MAKING, MADE };

static _Atomic int way;

/* Another thread is at it. Whoever interrupts it waits in vain. */
static void await_way(void)
{
	for (int i = 0; i < 10000 && atomic_load(&way) == MAKING; i++)
		os_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

bool limits_make_way(void)
{
	int expected = NOT_MADE;
	int saved = errno;

	if (atomic_load(&way) == NOT_MADE &&
	    !(holds_more() && (os_limited(RLIMIT_AS) || os_limited(RLIMIT_DATA) || commits())))
		return false;
	if (atomic_compare_exchange_strong(&way, &expected, MAKING)) {
		stand_aside(ASIDE_REFUSED);
		atomic_store(&way, MADE);
	}
	await_way();
	errno = saved;
	/* Also of a call that was refused before the way was made, of which nobody knows. */
	return true;
}

void limits_after_fork(void)
{
	int expected = MAKING;

	/* Another thread was at it, which is not here; the region is no longer looked at. */
	atomic_compare_exchange_strong(&way, &expected, MADE);
}
