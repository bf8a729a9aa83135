/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upa/view.h - what other processes can see of one that runs under libupa_mmap.so: `upa top` reads it.
 *
 * The view is a variable in the library's writable data. A reader finds it without a name or a file: in /proc/PID/maps
 * the writable mapping of libupa_mmap.so, in /proc/PID/mem at a multiple of 64 bytes from its start the magic. So it
 * costs a program nothing at its start, leaves nothing behind, cannot be stale, and works whatever the program closes,
 * filters or changes its root to. The reader needs the right to trace the process (ptrace(2), PTRACE_MODE_ATTACH): its
 * user, or root; where kernel.yama.ptrace_scope is 1, root.
 *
 * Two words are for others to write to, by who may write to the process's memory (/proc/PID/mem).
 *
 * `order` is carried out by the agent, while there is one. It looks every 250 ms, takes the order, sets it to 0, gives
 * memory of free pages back until no more than that is kept, and then counts the order as done. What is in use is never
 * touched, and what was given back can be allocated as before. The last order counts.
 *
 * `bound` stands until somebody changes it, whatever becomes of who has set it, and needs no agent: as long as
 * resident memory exceeds so many bytes, what is free is not kept. It refuses nothing, and takes nothing that is in
 * use. A forked child has none, nor has the program that execve() runs.
 *
 * Nobody else takes free pages: the allocation state is private memory, which a forked child has a copy of, and of
 * which no other process can exchange a word atomically. Nor is it needed: of what is marked (MADV_FREE) the kernel
 * takes the memory itself, also of a process that is stopped.
 *
 * Words are written one by one and each is whole; together they are no snapshot. Counters are of this process alone: a
 * forked child begins at 0, but for those of the region, which go on.
 */
#ifndef UPA_VIEW_H
#define UPA_VIEW_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UPA_VIEW_MAGIC 0x3130574549564155ull /* the bytes "UAVIEW01" */
#define UPA_VIEW_VERSION 2u
#define UPA_VIEW_ALIGNMENT 64u

/* 224 bytes, little endian. */
struct upa_view {
	uint64_t magic;             /* UPA_VIEW_MAGIC */
	uint32_t version;           /* UPA_VIEW_VERSION */
	uint32_t bytes;             /* of this structure */
	uint64_t metadata;          /* address of the metadata (region.c), which counts what is served; 0: no region */
	uint64_t passed;            /* mmap calls passed on to the kernel */
	uint64_t purges;            /* madvise calls served without the kernel */
	uint64_t purged_bytes;      /* by them, cleared where it is */
	uint64_t heap_moves;        /* brk calls that came to us */
	uint64_t heap_bytes;        /* the heap's size */
	uint64_t heap_kept_bytes;   /* populated beyond it */
	uint64_t heap_reused_bytes; /* handed out again and cleared */
	uint64_t heap_given_back_bytes;
	uint64_t purged_idle_bytes;      /* of the latter, not used again */
	uint64_t agent_given_back_bytes; /* of all given back, what the program has had no part in */
	uint64_t agent;                  /* number of the thread that carries out orders; 0: there is none just now */
	uint64_t order; /* from another process: 1 + bytes of what is free that may stay; 0: none. See below */
	uint64_t orders_done;
	uint64_t ordered_bytes;   /* of what the agent has given back, by orders and bounds of other processes */
	uint64_t marked_bytes;    /* marked so far so that the kernel may take it under pressure (MADV_FREE) */
	uint64_t heap_lazy_bytes; /* of what is kept beyond the heap, so much is marked now */
	uint64_t bound;           /* from another process: 1 + bytes; 0: none. See above */
	char note[64];            /* why UPA does less than it could here; empty, or ends with 0 */
};

#ifdef __cplusplus
}
#endif
#endif
