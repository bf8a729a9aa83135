/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlmalloc-on-upa.h - put in front of dlmalloc's source by the compiler's -include: dlmalloc's own
 * configuration macros, pointed at libupa.
 */
#include <stddef.h>
#include <sys/mman.h>

#include <upa/mman.h>

#define UPA_DLMALLOC_CLEARING (MMAP_CLEARS ? 0 : UPA_MAP_UNCLEARED)

#define MMAP(s) upa_mmap(NULL, (s), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | UPA_DLMALLOC_CLEARING, -1, 0)
#define DIRECT_MMAP(s) MMAP(s)
#define MUNMAP(a, s) upa_munmap((a), (s))
#define MREMAP(a, old, new, may_move) upa_mremap((a), (old), (new), (may_move) | UPA_DLMALLOC_CLEARING)
