/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - what time it is, for whoever decides by it. */
#ifndef UPA_CLOCK_H
#define UPA_CLOCK_H

#include <stdint.h>

/* Milliseconds, good to a few, at a few nanoseconds a reading. */
int64_t clock_milliseconds(void);

/* Nanoseconds of processor time of this thread. */
uint64_t clock_own_nanoseconds(void);

#endif
