/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redirect.h - makes libc's own calls of mmap() and its relatives ours. glibc's malloc, its thread stacks and its
 * brk() call these functions inside libc, where no symbol of another library reaches them; so the first bytes of
 * the functions themselves are overwritten with a jump. Nothing in the replaced functions is needed any more: ours
 * issue the system calls themselves.
 *
 * A function is touched only if redirect_walk.h finds in libc's code that it can be. If one cannot, or cannot be
 * written to (redirect_text.h), none is touched.
 */
#ifndef UPA_REDIRECT_H
#define UPA_REDIRECT_H

#include <stdbool.h>
#include <stddef.h>

#include "entry/redirect_walk.h"
#include "entry/symbols.h"

#define REDIRECT_MOST 16

struct redirection {
	const char *name; /* of libc's function */
	void *to;
	bool optional; /* if it cannot be redirected the others are all the same */
	bool done;
	enum refusal refusal;
};

/*
 * Redirects all in `list`, up to REDIRECT_MOST; its order is that in which they are written. NULL: done, but for
 * optional ones. Otherwise nothing is, and the result says in words what stands against it; so where the process has
 * more than one thread.
 */
const char *redirect(struct redirection *list, size_t n);

/* Where in an object's code its function `name` would be patched. */
enum refusal redirect_find(const struct redirect_machine *machine, const struct object *libc, const char *name,
			   size_t *patch);

#endif
