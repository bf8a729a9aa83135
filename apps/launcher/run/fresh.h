/* SPDX-License-Identifier: Apache-2.0 */
/* fresh.h - whether what was built is as new as the sources it was built from. */
#ifndef UPA_RUN_FRESH_H
#define UPA_RUN_FRESH_H

#include <stdbool.h>

/*
 * Whether no source of the libraries and of this program below `root` has been changed, added or removed since the last
 * build: by the times of files and folders, some 150 of them, against that of root/build/stamp/run.
 */
bool fresh(const char *root);

/* The same of what the tools in Java are built from, some 300, and root/build/stamp/pager. */
bool fresh_java(const char *root);

#endif
