/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forks.h - no child runs before the client keeps what the child's pages need.
 *
 * The kernel tells each userfaultfd of a fork, in the order of their addresses, and waits each time until that is read.
 * So a paged process has two gates, pages with a userfaultfd of their own, at the lowest and the highest address:
 *
 *   first gate   is read by the client, which has a userfaultfd of the child's memory from then on
 *   region       is read by the pager, which has another then. It finds out what the child inherits, and has the
 *                client keep that (PAGER_BORN)
 *   last gate    is read by the client after that. Only now there is a child that can run
 *
 * If the pager dies in between, what it had is gone. The next one asks for the client's (PAGER_UNBORN), and gives the
 * child all its pages by that. If the client dies, so does the thread that forks, and there is no child. Members of the
 * family are the process, 0, and its children, each by its number and 1: they have gates too, for children of theirs.
 *
 * Who maps something over a gate, or moves pages of the region beyond it, has no gate: then a child may read zeros if
 * the pager dies in that instant. The executor's alone.
 */
#ifndef UPA_PAGER_FORKS_H
#define UPA_PAGER_FORKS_H

#include <stdint.h>

/* There are none. */
void forks_start(void);

/* Makes those of the process, if they are not there. Before its first page leaves. */
void forks_begin(void);

/* Opens and shuts gates until the socket can be read. */
void forks_await(int socket, uint32_t pager);

/* The client keeps what the child of a member needs: it is the child of this number and 1; 0: it needs nothing. */
void forks_born(uint32_t member, uint32_t child);

/*
 * Of a child that is between its gates, what the pager needs: *fd, the client's own, or -1.
 * An enum pager_unborn.
 */
uint32_t forks_unborn(uint32_t member, int *fd);

/* A child needs nothing any more. */
void forks_end(uint32_t child);

void forks_close(void);

#endif
