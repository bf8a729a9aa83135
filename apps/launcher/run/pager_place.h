/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pager_place.h - where the pager of this user is. There is one for all runs of the same build, with the same rights
 * and limits, that see the same processes, files and network and are charged to the same memory cgroup: what a pager
 * keeps for them is charged to its own, and would else be out of their limits. Its files in a folder of the user's
 * alone are NAME.control, its socket; NAME.lock; and NAME.PID, a socket for the processes of each run.
 */
#ifndef UPA_RUN_PAGER_PLACE_H
#define UPA_RUN_PAGER_PLACE_H

struct pager_place {
	char *folder, *name, *control;
};

/* Makes the folder if there is none. Ends with a line if there is no place. `start` is what starts a pager. */
struct pager_place pager_place(const char *start);

/* Nobody else starts a pager there until the descriptor is closed. -errno if the lock cannot be had for 10 s. */
int pager_place_lock(const struct pager_place *place);

/* Connects to the pager. A descriptor or -errno. */
int pager_place_connect(const char *control);

/* A socket that listens in its place; what a pager has left there goes. With the lock held. A descriptor or -errno. */
int pager_place_listen(const struct pager_place *place);

/* The path of the socket for the processes of a run. */
char *pager_place_run(const struct pager_place *place, long pid);

/* It listens there. With the lock held. A descriptor or -errno; -EADDRINUSE: another run does. */
int pager_place_listen_for_run(const char *path);

/* Removes what pagers have left that are gone, and those who could start them again. */
void pager_place_clean(const struct pager_place *place);

#endif
