/* SPDX-License-Identifier: Apache-2.0 */
/* hint_check.h - which hints there are. */
#ifndef UPA_HINT_CHECK_H
#define UPA_HINT_CHECK_H

#include <errno.h>
#include <stdbool.h>

#include <upa/hint.h>

static inline bool hint_makes_sense(enum upa_hint_kind kind, int priority)
{
	if ((unsigned)kind > UPA_PRIORITY)
		return false;
	return kind == UPA_PRIORITY ? priority >= 0 && priority <= UPA_MOST_PRIORITY : priority == 0;
}

#endif
