/* SPDX-License-Identifier: Apache-2.0 */
/* clear.h - zeros to populated memory, past the cache where that is faster. */
#ifndef UPA_CLEAR_H
#define UPA_CLEAR_H

#include <stddef.h>

/* Clears whole pages. Safe in signal handlers and before constructors. */
void upa_clear(void *address, size_t bytes);

#endif
