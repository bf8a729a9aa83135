/* SPDX-License-Identifier: Apache-2.0 */
/* libraries.h - what LD_PRELOAD is to hold. */
#ifndef UPA_RUN_LIBRARIES_H
#define UPA_RUN_LIBRARIES_H

#include <stdbool.h>

/* Whether a library of this project is there. */
bool libraries_has(const char *name);

/* The path of a library of this project, next to this program; ends with a line if it is not there. */
char *libraries_own(const char *name);

/* Ends with a line unless the dynamic linker can preload it. */
void libraries_check(const char *library);

/*
 * A path of the same file that the dynamic linker takes as it is. In LD_PRELOAD a space and a colon part two names, and
 * a dollar sign begins a variable; of a path with such a character this is a symbolic link, in a folder of the user's
 * own that stays for the next run. Ends with a line if there is no place for one.
 */
char *libraries_plain(const char *library);

/*
 * Runs `true` with this LD_PRELOAD, as if nobody had launched it (UPA_LAUNCHED=0), and returns what comes out on the
 * descriptor, 1 or 2, without the last line break.
 */
char *libraries_probe(const char *preload, int descriptor);

/*
 * A value of LD_PRELOAD without the libraries that an `upa run` around this one has put there: this one says anew which
 * there are to be. NULL if there are none of them, empty if nothing is left.
 */
char *libraries_of_others(const char *preload);

#endif
