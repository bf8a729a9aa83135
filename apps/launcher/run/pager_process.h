/* SPDX-License-Identifier: Apache-2.0 */
/* pager_process.h - the pager of `upa run --policy`: a process in Java, which ends after the program. */
#ifndef UPA_RUN_PAGER_PROCESS_H
#define UPA_RUN_PAGER_PROCESS_H

/*
 * Starts a pager for this process, which is about to be the program, and returns the path of its socket. Ends with its
 * status if it fails: it has said why. `source` is `root` if the sources there may be newer than what was built, else
 * NULL; so is `store` if none is named. Sets UPA_REGION_BYTES, if it is not set.
 */
char *pager_start(const char *root, const char *source, const char *policy, const char *memory, const char *store);

#endif
