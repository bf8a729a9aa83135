/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "spaces.h"

#include <errno.h>
#include <linux/futex.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <upa/mman.h>

#include "chunks.h"
#include "os/message.h"
#include "os/os.h"

/* From FORKING on a lock is refused. */
enum { FREE, HELD, WANTED, FORKING, DEAD };

/*
 * Before a thread sleeps, it looks so often whether the lock is free: a heap is held for some hundred instructions.
 */
#define SPINS 100

#define MOST_LOCKS 256
static _Atomic(int *) locks[MOST_LOCKS];
static _Atomic unsigned lock_count;
static _Atomic(int *) last;
static _Thread_local bool exempt __attribute__((tls_model("initial-exec")));

/* The program has made a mistake, and this thread says so, maybe with a heap's lock held. */
static _Thread_local bool aborting __attribute__((tls_model("initial-exec")));

_Thread_local int space_zeros __attribute__((tls_model("initial-exec")));
_Thread_local int space_refused __attribute__((tls_model("initial-exec")));
_Thread_local int *space_held __attribute__((tls_model("initial-exec")));

/* ---- locks ------------------------------------------------------------------------------------------- */

static _Atomic int *atomic(int *lock)
{
	return (_Atomic int *)lock;
}

static void sleep_on(int *lock, int state)
{
	os_call(SYS_futex, (long)lock, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, state, 0, 0, 0);
}

static void wake(int *lock, int threads)
{
	os_call(SYS_futex, (long)lock, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, threads, 0, 0, 0);
}

static bool change(int *lock, int from, int to)
{
	return atomic_compare_exchange_strong(atomic(lock), &from, to);
}

int space_lock_start(int *lock)
{
	unsigned i = exempt ? MOST_LOCKS : atomic_fetch_add(&lock_count, 1);

	*lock = FREE;
	if (i < MOST_LOCKS)
		locks[i] = lock;
	last = lock;
	return 0;
}

void space_exempt(bool is)
{
	exempt = is;
}

int *space_last_lock(void)
{
	return last;
}

int space_try_lock(int *lock)
{
	int expected = FREE;

	return atomic_compare_exchange_strong_explicit(atomic(lock), &expected, HELD, memory_order_acquire,
						       memory_order_relaxed);
}

/* Drepper, "Futexes Are Tricky" (2011), mutex 3, but for a lock that is refused. */
static int wait_for(int *lock)
{
	for (;;) {
		int state = atomic_load(atomic(lock));

		if (lock == space_held || (state == FREE && change(lock, FREE, WANTED)))
			return 0;
		if (state == FREE)
			continue;
		if (state >= FORKING || aborting) {
			space_refused = state == DEAD ? SPACE_DEAD : SPACE_FORKING;
			return EBUSY;
		}
		if (state == WANTED || change(lock, HELD, WANTED))
			sleep_on(lock, WANTED);
	}
}

int space_lock(int *lock)
{
	if (space_try_lock(lock))
		return 0;
	for (int i = 0; i < SPINS && lock != space_held; i++) {
		os_relax();
		if (atomic_load_explicit(atomic(lock), memory_order_relaxed) == FREE && space_try_lock(lock))
			return 0;
	}
	return wait_for(lock);
}

void space_unlock(int *lock)
{
	if (lock != space_held && atomic_exchange_explicit(atomic(lock), FREE, memory_order_release) == WANTED)
		wake(lock, 1);
}

static void hold(int *lock)
{
	for (;;) {
		int state = atomic_load(atomic(lock));

		if (state == DEAD)
			return;
		if (state == FREE && change(lock, FREE, FORKING))
			break;
		if (state == FORKING)
			sleep_on(lock, FORKING);
		else if (state == WANTED || (state == HELD && change(lock, HELD, WANTED)))
			sleep_on(lock, WANTED);
	}
	/* Whoever sleeps would find out only when the fork is over. */
	wake(lock, INT_MAX);
}

void space_lock_all(void)
{
	for (unsigned i = 0; i < MOST_LOCKS && locks[i]; i++)
		hold(locks[i]);
}

void space_unlock_all(void)
{
	for (unsigned i = MOST_LOCKS; i-- > 0;)
		if (locks[i] && change(locks[i], FORKING, FREE))
			wake(locks[i], INT_MAX);
}

void space_abandon(int *lock)
{
	atomic_store(atomic(lock), DEAD);
}

void space_misused(void)
{
	struct message m = { .length = 0 };

	message_text(&m, "upa: free() or realloc() of what malloc() has not given, or of memory written over\n");
	message_send(&m, 2);
	/* A handler of the signal may allocate: not from a heap whose lock this thread may hold. */
	aborting = true;
	space_held = NULL;
	abort();
}

/* ---- pages ------------------------------------------------------------------------------------------- */

/* libupa_mmap.so's, by names that no other library has. */
extern void *__upa_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
	__attribute__((weak));
extern int __upa_munmap(void *address, size_t bytes) __attribute__((weak));
extern void *__upa_mremap(void *address, size_t old_bytes, size_t new_bytes, int flags) __attribute__((weak));

static long result(long of_system_call)
{
	if (!os_failed(of_system_call))
		return of_system_call;
	errno = (int)-of_system_call;
	return -1;
}

void *space_map(size_t bytes, int zeros)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (zeros ? 0 : UPA_MAP_UNCLEARED);

	if (__upa_mmap)
		return __upa_mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
	/* The kernel ignores the flag. */
	return (void *)result(os_mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0));
}

struct space_blocks space_blocks = { .may_be = SIZE_MAX };

static void note_most(_Atomic size_t *most, size_t now)
{
	size_t was = atomic_load_explicit(most, memory_order_relaxed);

	while (was < now && !atomic_compare_exchange_weak(most, &was, now))
		;
}

/* A size that has become less is added as what it lacks to 2^64. */
static void note_blocks(size_t more, size_t more_bytes)
{
	note_most(&space_blocks.most_count, atomic_fetch_add(&space_blocks.count, more) + more);
	note_most(&space_blocks.most_bytes, atomic_fetch_add(&space_blocks.bytes, more_bytes) + more_bytes);
}

void *space_map_block(size_t bytes, int zeros)
{
	void *mapped = MAP_FAILED;

	if (atomic_load_explicit(&space_blocks.count, memory_order_relaxed) < space_blocks.may_be)
		mapped = space_map(bytes, zeros);
	if (mapped != MAP_FAILED)
		note_blocks(1, bytes);
	return mapped;
}

int space_unmap(void *address, size_t bytes)
{
	bool is_block = chunk_has_mapping(address, bytes);
	int failed = __upa_munmap ? __upa_munmap(address, bytes) : (int)result(os_munmap(address, bytes));

	if (is_block && !failed)
		note_blocks(-(size_t)1, -bytes);
	return failed;
}

void *space_remap(void *address, size_t old_bytes, size_t new_bytes, int may_move)
{
	int flags = may_move ? MREMAP_MAYMOVE : 0;
	bool is_block = chunk_has_mapping(address, old_bytes);
	void *moved = __upa_mremap ? __upa_mremap(address, old_bytes, new_bytes, flags) :
				     (void *)result(os_mremap(address, old_bytes, new_bytes, flags, NULL));

	if (is_block && moved != MAP_FAILED)
		note_blocks(0, new_bytes - old_bytes);
	return moved;
}
