/* SPDX-License-Identifier: Apache-2.0 */
#include "region/slots.h"

#include <unistd.h>

_Thread_local uint32_t upa_thread_slot __attribute__((tls_model("initial-exec")));
static _Atomic uint32_t next_slot;

uint32_t upa_take_thread_slot(void)
{
	uint32_t slot = atomic_fetch_add_explicit(&next_slot, 1, memory_order_relaxed) + 1;

	upa_thread_slot = slot ? slot : 1;
	return upa_thread_slot;
}

/* Twice the processors, so that threads that come and go seldom meet; few enough to leave trees for large runs. */
uint32_t upa_default_slots(void)
{
	long processors = sysconf(_SC_NPROCESSORS_CONF);
	uint32_t slots = 8;

	while (slots < 2 * processors && slots < 1024)
		slots *= 2;
	return slots;
}
