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

static bool limited(void)
{
	return os_limited(RLIMIT_AS) || os_limited(RLIMIT_DATA) || commits();
}

bool limits_make_way(void)
{
	static _Atomic bool made;
	int saved = errno;

	/* Where nothing of ours is mapped, it may have been when the call was refused. */
	if (!gate_has_begun() && !heap_breaks().kernel)
		return false;
	if (!atomic_load(&made) && !gate_is_closed() && !limited())
		return false;
	if (gate_is_closed() || atomic_exchange(&made, true)) {
		/* Another thread is at it, or has been. */
		gate_close();
		heap_stop();
	} else {
		stand_aside(ASIDE_REFUSED);
	}
	errno = saved;
	return true;
}
