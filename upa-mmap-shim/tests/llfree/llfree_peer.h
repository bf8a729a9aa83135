/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llfree_peer.h - threads that work on an allocator together with others, in Java and in other processes, and prove
 * by a map of owners that no page is ever held twice. The Java twin of this is upa.core.OwnershipWorkload.
 *
 * All of it lies in one piece of shared memory:
 *
 *   0                          the allocator's state, rounded up to 4096 bytes
 *   then  u32 owner[pages]     who holds a page, 0 nobody (CAS): set after a get, cleared before a put
 *   then  u32 content[pages]   0 if a page reads zero; written by its holder, as the page itself would be
 */
#ifndef UPA_TESTS_LLFREE_PEER_H
#define UPA_TESTS_LLFREE_PEER_H

#include <stdint.h>

#include <upa/api.h>

/* The largest block a thread takes, hence the most a killed one leaves without an owner. */
#define PEER_MAX_BLOCK 1500u

/*
 * Runs `threads` threads with the owner numbers first_id, first_id + 1, ... on `memory`, each doing `operations` (0:
 * for ever) and then freeing what it holds. Returns the number of faults found, each told on stderr, or -errno.
 */
UPA_API int64_t llfree_peer_run(void *memory, uint64_t bytes, uint32_t first_id, uint32_t threads, uint64_t operations,
				uint64_t seed);

#endif
