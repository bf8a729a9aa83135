/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "spaces.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include <upa/mman.h>

#include "os/os.h"

enum { FREE, HELD, WANTED };

/* Before a thread sleeps, it looks so often whether the lock is free: a heap is held for some hundred instructions. */
#define SPINS 100

#define MOST_LOCKS 256
static _Atomic(int *) locks[MOST_LOCKS];
static _Atomic unsigned lock_count;

_Thread_local int space_zeros __attribute__((tls_model("initial-exec")));

static _Atomic int *atomic(int *lock)
{
	return (_Atomic int *)lock;
}

int space_lock_start(int *lock)
{
	unsigned i = atomic_fetch_add(&lock_count, 1);

	*lock = FREE;
	if (i < MOST_LOCKS)
		locks[i] = lock;
	return 0;
}

int space_try_lock(int *lock)
{
	int expected = FREE;

	return atomic_compare_exchange_strong_explicit(atomic(lock), &expected, HELD, memory_order_acquire, memory_order_relaxed);
}

/* Drepper, "Futexes Are Tricky" (2011), mutex 3, after a while of spinning. */
int space_lock(int *lock)
{
	if (space_try_lock(lock))
		return 0;
	for (int i = 0; i < SPINS; i++) {
		os_relax();
		if (atomic_load_explicit(atomic(lock), memory_order_relaxed) == FREE && space_try_lock(lock))
			return 0;
	}
	while (atomic_exchange_explicit(atomic(lock), WANTED, memory_order_acquire) != FREE)
		os_call(SYS_futex, (long)lock, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, WANTED, 0, 0, 0);
	return 0;
}

void space_unlock(int *lock)
{
	if (atomic_exchange_explicit(atomic(lock), FREE, memory_order_release) == WANTED)
		os_call(SYS_futex, (long)lock, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
}

void space_lock_all(void)
{
	for (unsigned i = 0; i < MOST_LOCKS && locks[i]; i++)
		space_lock(locks[i]);
}

void space_unlock_all(void)
{
	for (unsigned i = MOST_LOCKS; i-- > 0;)
		if (locks[i])
			space_unlock(locks[i]);
}

void *space_map(size_t bytes, int zeros)
{
	/* The kernel ignores the flag. */
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (zeros ? 0 : UPA_MAP_UNCLEARED), -1, 0);
}
