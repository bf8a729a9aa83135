/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redirect_text.h - writes to code that is mapped to be read and executed: all that is asked, or nothing. Text that
 * cannot be made writable (PR_SET_MDWE, mseal(), SELinux's execmod) is written by way of /proc/self/mem.
 */
#ifndef UPA_REDIRECT_TEXT_H
#define UPA_REDIRECT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "entry/redirect_walk.h"

struct patch {
	unsigned char *at;
	size_t length; /* up to REDIRECT_MOST_JUMP_BYTES */
	unsigned char bytes[REDIRECT_MOST_JUMP_BYTES];
	unsigned char was[REDIRECT_MOST_JUMP_BYTES];
	bool written;
};

/* One way of writing; true if the bytes are now there. */
typedef bool text_writer(unsigned char *at, const unsigned char *bytes, size_t length, long context);

/*
 * Writes the patches in their order. If one fails, those before it are undone, the last one first, and the result is
 * false; `written` then says which could not be.
 */
bool text_write_all(struct patch *patches, size_t n, text_writer *write, long context);

/* The same, in whichever way the kernel allows. For a process with one thread. */
bool text_write(struct patch *patches, size_t n);

/* The ways, for tests: through a mapping made writable meanwhile, and through /proc/self/mem. */
bool text_write_mapped(struct patch *patches, size_t n);
bool text_write_through_file(struct patch *patches, size_t n);

#endif
