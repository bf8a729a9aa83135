/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pager.h - the process's half of paging by policy (`upa run --policy`): the region is held within a bound, and what is
 * over it lies in the pager's stores. Only in a process that was started with UPA_PAGER.
 *
 * The client is two threads of the process. They share a table of descriptors of their own, so that the program neither
 * sees nor closes the userfaultfd, and no child inherits it. They take no lock and never allocate: whoever they
 * interrupt or outlive may hold any lock.
 *
 *   watch      connects when there is a region, tells the pager when memory in use comes near the bound, and passes on
 *              what threads of the program ask for. Carries out orders that may wait for the pager themselves
 *   executor   carries out all other orders, one at a time; finds the next pager when one has died
 *
 * Where zeros could be read in place of what a page held, and what prevents it:
 *   fork                     the kernel tells the pager (EVENT_FORK), which has the child's userfaultfd then, and gives
 *                            the child what its parent had outside of memory. No child runs before the client keeps
 *                            that userfaultfd, or the next pager has given it all (forks.h)
 *   mremap out of the region all is in memory first. Its addresses may be another thread's before the pager has read
 *                            of the move
 *   mremap within it, munmap, a mapping over it, MADV_DONTNEED
 *                            the kernel tells the pager, and stops the caller until it knows. The executor moves pages
 *                            only while no such event is unread: UFFDIO_MOVE is EAGAIN then
 *   the last userfaultfd is closed
 *                            the client holds one as long as the process lives
 *   the pager dies           the client connects to the next one, which goes on from what the client keeps (wire.h). If
 *                            none comes and content is outside of memory, the process is killed, and says why
 *   the pager dies with a page on its way
 *                            the executor, not the pager, writes where a staged page is. A page that comes in is put to
 *                            its address before its place is forgotten. Events are read into memory that is kept
 *   a page that is dropped because a store has it as it is
 *                            it came in write-protected (UFFDIO_COPY_MODE_WP). The pager's word forgets the copy before
 *                            it lets a thread write, and the thread waits for that (upa.pager.place.PlaceWord)
 *   pinned, locked, shared pages
 *                            UFFDIO_MOVE refuses them
 *   a hole that is not registered
 *                            the whole region is registered before the first page leaves; what is mapped over it later
 *                            is an event
 *   guards                   of them the kernel tells nothing: the range is dropped once more, which is an event
 *   MADV_WIPEONFORK          is locked in memory: from outside of it, a child would get what its parent had
 *   a core file              before it is written, all is brought in (core.h)
 *   free pages               what drops memory (MADV_DONTNEED) is an event too; no page is taken for zero because it is
 *                            absent
 */
#ifndef UPA_PAGER_H
#define UPA_PAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <upa/hint.h>

/* Is this process to be paged? From pager_prepare() on, until the pager has left. */
bool pager_wanted(void);

/* Sees whether UPA_PAGER asks for a client. For a process with one thread, before its region is made. */
void pager_prepare(void);

/* Starts the client if there is to be one. After libc's code has been changed: its threads run that code. */
void pager_start(void);

/* All comes back into memory and stays there: what the program is about to do does not go with paging. Waits. */
void pager_leave(void);

/*
 * The same, and the client's threads have ended: what comes wants a process of one thread, or takes rights from this
 * one alone.
 */
void pager_end(void);

/* The same if no one of these is the user that could come to the next pager. -1: that stays as it is. */
void pager_change_user(uid_t real, uid_t effective, uid_t saved);

/*
 * All comes back into memory and stays there, as the program is about to end; waits no longer than that. False: not all
 * has come. For signal handlers.
 */
bool pager_bring_in(unsigned milliseconds);

/* First in a child that has memory of its own, unless libc's fork() has made it. Waits until its pages are safe. */
void pager_forked(void);

/*
 * To be told of memory that the region had no room for, and that is the kernel's now: it is not paged. Says so, once;
 * nothing if the process is not to be paged.
 */
void pager_missed(size_t length);

/* Passes a hint on, if the process is being paged. */
void pager_hint(void *address, size_t length, enum upa_hint_kind kind, int priority);

#endif
