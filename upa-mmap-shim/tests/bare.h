/* SPDX-License-Identifier: Apache-2.0 */
/* bare.h - system calls that no library sees: not by libc's syscall(), which the preloaded library has as well. */
#ifndef UPA_TESTS_BARE_H
#define UPA_TESTS_BARE_H

#include <errno.h>

#include "os/os.h"

/* -1 with errno on failure, as syscall() has it. */
static inline long bare(long number, long a, long b, long c, long d, long e, long f)
{
	long result = os_call(number, a, b, c, d, e, f);

	if (!os_failed(result))
		return result;
	errno = (int)-result;
	return -1;
}

#endif
