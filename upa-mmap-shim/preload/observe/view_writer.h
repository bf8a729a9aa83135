/* SPDX-License-Identifier: Apache-2.0 */
/* view_writer.h - fills in what `upa top` reads (upa/view.h). */
#ifndef UPA_PRELOAD_VIEW_WRITER_H
#define UPA_PRELOAD_VIEW_WRITER_H

#include <stddef.h>

#include <upa/region.h>
#include <upa/view.h>

extern struct upa_view view;

static inline void view_add(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static inline void view_set(uint64_t *word, uint64_t n)
{
	__atomic_store_n(word, n, __ATOMIC_RELAXED);
}

void view_region(const struct upa_region *r);

/* The first of these stays. */
void view_note(const char *text);

/* In a forked child. */
void view_after_fork(void);

#endif
