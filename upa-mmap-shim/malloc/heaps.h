/* SPDX-License-Identifier: Apache-2.0 */
/* heaps.h - dlmalloc's heaps, as the files share them in which libupa_malloc.so has malloc's names. */
#ifndef UPA_MALLOC_HEAPS_H
#define UPA_MALLOC_HEAPS_H

#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "os/page.h"
#include "spaces.h"

#define EXPORT __attribute__((visibility("default")))
#define ALSO(name) __attribute__((alias(#name), copy(name)))

#define MOST_SPACES 64u

/* dlmalloc's own names. */
typedef void *mspace;
mspace create_mspace_with_base(void *base, size_t capacity, int locked);
void *mspace_malloc(mspace space, size_t bytes);
void mspace_free(mspace space, void *block);
void *mspace_calloc(mspace space, size_t count, size_t bytes);
void *mspace_realloc(mspace space, void *block, size_t bytes);
void *mspace_memalign(mspace space, size_t alignment, size_t bytes);
size_t mspace_usable_size(const void *block);
int mspace_trim(mspace space, size_t pad);
int mspace_mallopt(int parameter, int value);
size_t mspace_footprint(mspace space);
struct mallinfo2 mspace_mallinfo(mspace space);
void mspace_inspect_all(mspace space, void (*look)(void *from, void *to, size_t used, void *with), void *with);

struct heap {
	_Atomic(mspace) space; /* NULL: not made yet */
	int *lock;
	size_t footer;         /* of its blocks (chunks.h) */
	uintptr_t trimmed_top; /* where its top began when that was trimmed last */
};

extern struct heap heaps[MOST_SPACES];
extern unsigned heap_count; /* so many of them new threads take, from the first on; 0: that is still to be found out */
extern unsigned heaps_made; /* beyond these none is made yet */
extern int heaps_starting;  /* a lock: heaps are made one at a time */

/* What malloc() gives is filled with this byte's complement, what is freed with the byte; 0: with nothing. */
extern unsigned char heaps_fill;

/* Sets what the environment says that glibc's malloc shall be. */
void heaps_set_by_environment(void);

/* Has a lock been refused to this thread? Asked once. */
enum space_refusal heaps_refused(void);

#endif
