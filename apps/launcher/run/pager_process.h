/* SPDX-License-Identifier: Apache-2.0 */
/* pager_process.h - the pager of `upa run --policy`: a process in Java, one for all runs of a user. */
#ifndef UPA_RUN_PAGER_PROCESS_H
#define UPA_RUN_PAGER_PROCESS_H

/*
 * Has this process paged, which is about to be the program: finds the pager or starts it, and returns the path of the
 * socket of this run. Leaves a process behind that starts the pager again if it dies. Ends with its status if the pager
 * refuses: it has been said why. `source` is `root` if the sources there may be newer than what was built, else NULL;
 * so is `store` if none is named. `words` are those of this process: what they say is nobody's business in the one that
 * is left behind. Sets UPA_REGION_BYTES, if it is not set.
 */
char *pager_start(const char *root, const char *source, const char *policy, const char *memory, const char *store,
		  char **words);

#endif
