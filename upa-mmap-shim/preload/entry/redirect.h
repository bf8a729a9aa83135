/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redirect.h - makes libc's own calls of mmap() and its relatives ours. glibc's malloc, its thread stacks and its
 * brk() call these functions inside libc, where no symbol of another library reaches them; so the first bytes of
 * the functions themselves are overwritten with a jump. Nothing in the replaced functions is needed any more: ours
 * issue the system calls themselves.
 *
 * A function is touched only if all of it, up to its return, is byte for byte what compilers have made of it in the glibc
 * versions known here. If one is not, none is touched.
 */
#ifndef UPA_REDIRECT_H
#define UPA_REDIRECT_H

#include <stdbool.h>
#include <stddef.h>

struct redirection {
	const char *name;            /* of libc's function */
	void *to;
	bool optional;               /* if its bytes are unknown the others are redirected all the same */
	bool done;
};

/* True if every one that is not optional has been redirected. For a process with one thread. */
bool redirect(struct redirection *list, size_t n);

#endif
