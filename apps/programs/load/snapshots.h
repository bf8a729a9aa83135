/* SPDX-License-Identifier: Apache-2.0 */
/* snapshots.h - redis saves in the background while it is asked. */
#ifndef UPA_LOAD_SNAPSHOTS_H
#define UPA_LOAD_SNAPSHOTS_H

#include <stdint.h>

/*
 * Begins the next background save if it is due and none is at work. With due = the whole, waits for the end of the last
 * one.
 */
void snapshots(uint64_t done, uint64_t all);

#endif
