/* SPDX-License-Identifier: Apache-2.0 */
/* zero.h - zeros to pages that have memory, without giving memory to those that have none. */
#ifndef UPA_ZERO_H
#define UPA_ZERO_H

#include <stddef.h>
#include <stdint.h>

/*
 * Makes private anonymous writable pages from .. to-1 read zero. Returns where the last stretch begins of which every
 * page is resident.
 */
uintptr_t zero_pages(uintptr_t from, uintptr_t to);

#endif
