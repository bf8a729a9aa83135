/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paged.h - the owner's half of a region whose pages a pager moves. The other half is Java's: upa.pager.device has the
 * same layout (DeviceRegion) and says what a page's entry means (AwayWord).
 *
 *   0                  free: a touch is SIGBUS
 *   frame + 1          in memory
 *   PAGED_FRESH        held, without content: reads zero when it is touched
 *   others away        the pager's
 *
 * The owner changes an entry from 0 to PAGED_FRESH, and from anything to 0, of pages that it holds. Frames are the
 * pager's: it alone takes them out of the pool. An entry frame + 1 that the owner takes out gives him the frame,
 * which he frees after the shoot-down. So each free page has the entry 0, and A records it as absent.
 *
 * A frame in the owner's hands stands in no entry, as does one that a killed pager had. Before the latter are freed,
 * at an admission, `hands` excludes the former. Who unmaps waits for that, not for others who unmap, so a signal
 * handler may.
 */
#ifndef UPA_REGION_DEVICE_PAGED_H
#define UPA_REGION_DEVICE_PAGED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include <upa/pager.h>

#include "region/types.h"

#include "../../../../kernel-ext/include/uapi/upa.h"

/* Stores whose descriptors are kept for the next pager, and bytes for names of what they have. */
#define PAGED_STORES 12u
#define PAGED_KEPT_BYTES 4096u
#define PAGED_REQUEST_BYTES 1024u

#define PAGED_FRESH UPADEV_SHADOW_AWAY
#define PAGED_LEAVING (UPADEV_SHADOW_AWAY | 2u << 28)
#define PAGED_KIND (0xfu << 28)

struct device_paging {
	/* In the state, which the pager maps. */
	uint64_t header_offset, kept_offset, places_offset, bits_offset, words_offset, marks_offset;
	_Atomic uint64_t *header; /* frames taken; how often pages were taken away */
	_Atomic uint64_t *bits;   /* of frames, 1 if taken: 16 rows for each 512, of which 8 are used */

	_Atomic int hands; /* so many calls have frames in hand; -1: nobody may */

	/* admit.c: of the admission at work, and of the pager that was admitted last. */
	_Atomic int admitting;
	void (*end)(struct upa_region *r); /* NULL: nothing is to be ended */
	int socket, stop;
	int kept[PAGED_STORES];
	bool watched;
	pthread_t watcher;
	uint32_t flags;
	struct sockaddr_un path;
	char request[PAGED_REQUEST_BYTES];
	size_t request_bytes;
};

static inline bool in_memory(uint32_t word)
{
	return word && !(word & UPADEV_SHADOW_AWAY);
}

static inline _Atomic uint64_t *frame_row(const struct device_paging *p, uint64_t frame)
{
	return &p->bits[frame / UPA_CHILD_PAGES * 16 + frame % UPA_CHILD_PAGES / 64];
}

/* Bytes of the state behind A's, without the marks; where they lie, from `offset` on. */
size_t upa_paged_bytes(uint64_t pages, uint64_t frames);
void upa_paged_lay_out(struct upa_region *r, uint64_t offset);

/* From exclude() to include() no call has frames in hand. False if that cannot be had in ten seconds. */
bool upa_paged_exclude(struct device_paging *p);
void upa_paged_include(struct device_paging *p);

/* Frames that a pager had in hand when it was killed are free again. There is no pager, and others are excluded. */
int upa_paged_mend(struct upa_region *r);

#endif
