/* SPDX-License-Identifier: Apache-2.0 */
/* rlimit.h - limits on the addresses that a process may map, which may come from outside at any time (prlimit). */
#ifndef UPA_OS_RLIMIT_H
#define UPA_OS_RLIMIT_H

#include <stdbool.h>
#include <sys/resource.h>

#include "os/os.h"

/* Has this process a limit of this kind (RLIMIT_AS, RLIMIT_DATA), or may it not ask? */
static inline bool os_limited(int resource)
{
	struct rlimit64 limit;

	return os_call(SYS_prlimit64, 0, resource, 0, (long)&limit, 0, 0) || limit.rlim_cur != RLIM64_INFINITY;
}

#endif
