/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.h - the process that a run leaves behind: it asks the pager to page the run, and the next if that one dies. */
#ifndef UPA_RUN_KEEPER_H
#define UPA_RUN_KEEPER_H

#include "pager_place.h"

struct keeper_request {
	const char *start; /* what starts a pager */
	struct pager_place place;
	long pid; /* of the run, and a descriptor of it */
	int process;
	const char *policy, *memory, *store, *folder; /* store: empty for the default; folder: the run's */
};

/*
 * Says on `out` where the socket of the run is, as "ready PATH\n", or with which status there is none, and why:
 * "failed STATUS\nLINE". Stays until the run is over.
 */
_Noreturn void keeper_run(const struct keeper_request *request, int out);

#endif
