/* SPDX-License-Identifier: Apache-2.0 */
#include "pager/hints.h"

#include <stdatomic.h>

/*
 * Ticket t uses slot t % HINTS. Its `turn` is t / HINTS * 2 when the slot is free for the ticket, and one more when the
 * hint is in it. So a slot that is 0 is free for the first ticket.
 */
struct slot {
	_Atomic uint64_t turn;
	struct hint hint;
};

static struct slot slots[HINTS];
static _Atomic uint64_t next_put;
static uint64_t next_take;

static uint64_t turn_of(uint64_t ticket)
{
	return ticket / HINTS * 2;
}

bool hints_put(struct hint hint)
{
	uint64_t ticket = atomic_load(&next_put);

	do {
		/* Behind: others have put some in meanwhile. */
		while (atomic_load(&slots[ticket % HINTS].turn) != turn_of(ticket)) {
			uint64_t now = atomic_load(&next_put);

			if (now == ticket)
				return false;
			ticket = now;
		}
	} while (!atomic_compare_exchange_weak(&next_put, &ticket, ticket + 1));
	slots[ticket % HINTS].hint = hint;
	atomic_store(&slots[ticket % HINTS].turn, turn_of(ticket) + 1);
	return true;
}

bool hints_take(struct hint *hint)
{
	struct slot *slot = &slots[next_take % HINTS];

	if (atomic_load(&slot->turn) != turn_of(next_take) + 1)
		return false;
	*hint = slot->hint;
	atomic_store(&slot->turn, turn_of(next_take) + 2);
	next_take++;
	return true;
}
