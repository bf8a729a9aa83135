/* SPDX-License-Identifier: Apache-2.0 */
/* mallocs.h - malloc libraries by the names that people call them by, and which of them a program is to have. */
#ifndef UPA_RUN_MALLOCS_H
#define UPA_RUN_MALLOCS_H

#include "program.h"

/*
 * The file of jemalloc, mimalloc or tcmalloc, or of a library without a folder in its name, where distributions install
 * them; anything else is a path already. Ends with a line if a malloc of that name is not installed.
 */
const char *mallocs_find(const char *name);

/*
 * For --malloc auto: the file of the malloc with which the program has been measured to be faster on UPA; NULL to keep
 * libc's. Says in a line which it is, and why.
 */
const char *mallocs_choose(const struct program_look *look);

#endif
