/* SPDX-License-Identifier: Apache-2.0 */
/* moves.h - takes pages out of the region, which nobody can touch meanwhile. */
#ifndef UPA_PAGER_MOVES_H
#define UPA_PAGER_MOVES_H

#include <stdint.h>

/*
 * Moves n neighbours to slots, none of which has been used before but for pages that are to go there. The result of
 * each: 0, or why it has stayed, as -errno (ENOENT: there is no such page; EBUSY: others have it too).
 */
void moves_run(int uffd, char *to, char *from, uint32_t n, int32_t *result);

#endif
