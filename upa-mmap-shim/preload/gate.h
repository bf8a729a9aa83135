/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate.h - the one place that knows whether there is a region, who is served from it, and which addresses are its.
 *
 * A region comes once at most: it is made when it is worth it, since a program that never gets so far starts the
 * faster, and it goes when UPA stands aside (stand_aside.h). From then on every address is the kernel's, and every
 * call on it.
 *
 * For any thread and signal handler. Whoever asks for memory while the region is being made does without; nobody waits
 * but who closes the gate.
 */
#ifndef UPA_GATE_H
#define UPA_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <upa/region.h>

/* Written in this order when the region comes; when it goes, its addresses stay noted. */
struct gate {
	_Atomic uintptr_t base;
	const _Atomic uint64_t *_Atomic extent; /* bytes from base on, of the region or none */
	struct upa_region *_Atomic region;
	_Atomic bool chooses;  /* not every request is served */
	_Atomic uint64_t most; /* bytes of it that may be in use before large requests are the kernel's */
};

extern __attribute__((visibility("hidden"))) struct gate gate;

/*
 * The region; NULL: there is none yet, or none any more. To be asked once for each call: the next answer may differ.
 */
static inline struct upa_region *gate_region(void)
{
	return atomic_load_explicit(&gate.region, memory_order_acquire);
}

/* Is this an address of the region, or was it before the region went? */
static inline bool gate_knows(const void *address)
{
	const _Atomic uint64_t *extent = atomic_load_explicit(&gate.extent, memory_order_acquire);

	return (uintptr_t)address - atomic_load_explicit(&gate.base, memory_order_relaxed) <
	       atomic_load_explicit(extent, memory_order_relaxed);
}

/* The region if this is an address of it, else NULL. */
static inline struct upa_region *gate_of(const void *address)
{
	struct upa_region *region = gate_region();

	return region && gate_knows(address) ? region : NULL;
}

/* The region if any page of a range, or the one that an empty range begins in, is its; else NULL. */
static inline struct upa_region *gate_touched(const void *address, size_t length)
{
	struct upa_region *region = gate_region();
	uintptr_t base = atomic_load_explicit(&gate.base, memory_order_relaxed);
	uintptr_t from = (uintptr_t)address;

	/* A range that overflows is the kernel's to refuse. */
	return region && (gate_knows(address) || (from < base && from + length > base)) ? region : NULL;
}

/* Bytes of the region that may be in use before large requests are the kernel's: the machine's, but with a pager. */
static inline uint64_t gate_most(void)
{
	return atomic_load_explicit(&gate.most, memory_order_relaxed);
}

/* The rest of gate_serves(), where there is no region yet or not every request is served. */
struct upa_region *gate_choose(struct upa_region *region, size_t length, int protection, int flags);

/* Is every request served that can be? If not, more than gate_serves() may have to be asked. */
static inline bool gate_is_wide(void)
{
	return gate_region() && !atomic_load_explicit(&gate.chooses, memory_order_relaxed);
}

/*
 * The region that a request without a fixed address is to be served from, made now if need be; NULL: the kernel
 * serves.
 */
static inline struct upa_region *gate_serves(size_t length, int protection, int flags)
{
	return __builtin_expect(gate_is_wide(), 1) ? gate_region() :
						     gate_choose(gate_region(), length, protection, flags);
}

/* A region may be made from now on. Until then, no request is served. */
void gate_open(void);

/*
 * There will be no region, and the one there is becomes the kernel's: its free addresses are unmapped, and whatever
 * is in use is a mapping like any other. Only a region on the device of a process with several threads stays, and
 * serves no more. That has been done when this returns, by whichever thread.
 */
void gate_close(void);

/* Has that been done, or begun? */
bool gate_is_closed(void);

/* Is there a region, or one in the making, or was there one? */
bool gate_has_begun(void);

/* In a forked child: another thread of the parent may have been making the region. */
void gate_after_fork(void);

#endif
