/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "agent/agent.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "agent/clone.h"
#include "clock.h"
#include "observe/view_writer.h"
#include "os/filter.h"
#include "os/os.h"
#include "os/signals.h"
#include "policy/retain.h"
#include "region/slots.h"
#include "settings.h"
#include "upkeep/retention.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u
#endif

/* It ends after so many ticks in which hardly anything was kept: by then what was has gone, if nobody wanted it. */
#define QUIET_TICKS (RETAIN_PARTS + 1)

/* After so many it looks whether the kernel has taken what it may. */
#define TAKEN_TICKS 4

/*
 * A mapping: a page that faults, the stack, and what libc lays out around a thread's pointer. Of that only what is
 * touched takes memory; all of it reads zero, which is what our own thread-local variables begin with.
 */
#define GUARD_BYTES 4096ul
#define STACK_BYTES (32ul << 10)
#define TLS_BYTES (128ul << 10)
#define AROUND_BYTES (TLS_BYTES / 2)
#define ALL_BYTES (GUARD_BYTES + STACK_BYTES + TLS_BYTES)

/* It runs; it leaves unless it is told to stay; it leaves. */
enum { STAYS, LEAVING, GONE };

static _Atomic int state = GONE;

/* A futex: it waits for a tick, or only until the next glance. */
enum { AWAKE, DOZES, BLINKS };

static _Atomic int sleep_of_it = AWAKE;

static int id; /* of the thread, or 0: the kernel clears it when the thread touches nothing any more */
static char *memory;
static _Atomic int paused; /* so often; once more and for ever if there is to be none */
static atomic_flag making = ATOMIC_FLAG_INIT;

static int thread_id(void)
{
	return __atomic_load_n(&id, __ATOMIC_ACQUIRE);
}

/* ---- the thread ----------------------------------------------------------------------------------- */

/* Of another process (upa/view.h). */
static void carry_out_order(void)
{
	uint64_t order = __atomic_exchange_n(&view.order, 0, __ATOMIC_ACQ_REL);

	if (!order)
		return;
	/* If the program looks at what is kept just now: again with the next tick, unless there is a newer order. */
	if (!retention_reclaim(order - 1 > INT64_MAX ? INT64_MAX : (int64_t)(order - 1))) {
		uint64_t none = 0;

		__atomic_compare_exchange_n(&view.order, &none, order, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
		return;
	}
	__atomic_fetch_add(&view.orders_done, 1, __ATOMIC_RELEASE);
}

static void wake(void)
{
	atomic_store(&sleep_of_it, AWAKE);
	os_call(SYS_futex, (long)&sleep_of_it, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
}

/* Waits, and in the meantime glances and takes orders while that is worth it. */
static void wait_for_tick(void)
{
	int64_t end = clock_milliseconds() + RETAIN_TICK;
	int64_t left;

	while ((left = end - clock_milliseconds()) > 0) {
		int how = retention_worth_a_glance() ? BLINKS : DOZES;
		struct timespec time = { 0, 0 };

		atomic_store(&sleep_of_it, how);
		/* Who changes either after this wakes it. */
		if (atomic_load(&state) == GONE)
			return;
		if (how == DOZES && retention_worth_a_glance())
			continue;
		time.tv_nsec = (how == BLINKS && left > RETAIN_GLANCE ? RETAIN_GLANCE : left) * 1000000;
		os_call(SYS_futex, (long)&sleep_of_it, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, how, (long)&time, 0, 0);
		if (how == BLINKS) {
			carry_out_order();
			retention_glance();
		}
	}
}

/* True: there is nothing to do, and whoever comes now knows that it must make another. */
static bool leaves(void)
{
	int expected = LEAVING;

	if (atomic_exchange(&state, LEAVING) == GONE) {
		atomic_store(&state, GONE);
		return true;
	}
	if (retention_kept() >= RETAIN_UNASKED)
		expected = GONE;
	/* Whoever has seen LEAVING meanwhile has said STAYS. */
	if (expected == LEAVING && atomic_compare_exchange_strong(&state, &expected, GONE))
		return true;
	expected = LEAVING;
	atomic_compare_exchange_strong(&state, &expected, STAYS);
	return false;
}

static void run(void)
{
	int ticks = 0;
	int quiet = 0;

	os_call(SYS_prctl, PR_SET_NAME, (long)"upa-agent", 0, 0, 0, 0);
	if (os_call(SYS_close_range, 0, ~0u, CLOSE_RANGE_UNSHARE, 0, 0, 0)) {
		/* Before Linux 5.9 what it opens would take numbers of the program's. */
		atomic_fetch_add(&paused, 1);
		atomic_store(&state, GONE);
		return;
	}
	retention_begin_ticks();
	view_set(&view.agent, (uint64_t)os_call(SYS_gettid, 0, 0, 0, 0, 0, 0));
	do {
		wait_for_tick();
		if (atomic_load(&state) == GONE)
			break;
		carry_out_order();
		if (++ticks % TAKEN_TICKS == 0)
			retention_find_taken();
		quiet = retention_tick() >= RETAIN_UNASKED ? 0 : quiet + 1;
	} while (quiet < QUIET_TICKS || !leaves());
	view_set(&view.agent, 0);
}

/* ---- making one ----------------------------------------------------------------------------------- */

static char *thread_pointer(void)
{
#ifdef __x86_64__
	/* GCC before 11 has no such function here. */
	char *pointer;

	__asm__("mov %%fs:0, %0" : "=r"(pointer));
	return pointer;
#else
	return __builtin_thread_pointer();
#endif
}

/* Do our own variables lie near enough to the thread's pointer? */
static bool tls_fits(void)
{
	ptrdiff_t at = (char *)&upa_thread_slot - thread_pointer();

	return at > -(ptrdiff_t)AROUND_BYTES / 2 && at < (ptrdiff_t)AROUND_BYTES / 2;
}

static bool map_memory(void)
{
	long made =
		os_mmap(NULL, ALL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (os_failed(made) || os_mprotect((void *)made, GUARD_BYTES, PROT_NONE))
		return false;
	os_name((void *)made, ALL_BYTES, "upa agent");
	memory = (char *)made;
	return true;
}

static void make(void)
{
	uint64_t signals;
	void **pointer;

	if (os_filtered() || !tls_fits() || (!memory && !map_memory())) {
		atomic_fetch_add(&paused, 1);
		return;
	}
	pointer = (void **)(memory + GUARD_BYTES + STACK_BYTES + AROUND_BYTES);
	/* On x86 the pointer is also stored where it points to. */
	*pointer = pointer;
	signals = os_block_signals(OS_ALL_SIGNALS);
	atomic_store(&state, STAYS);
	if (os_failed(agent_clone(run, memory + GUARD_BYTES + STACK_BYTES, pointer, &id)))
		atomic_store(&state, GONE);
	os_block_signals(signals);
}

/* Enough is kept for it to be there. */
static void watch(void)
{
	int expected = LEAVING;

	if (__builtin_expect(atomic_load_explicit(&state, memory_order_relaxed) == STAYS && thread_id(), 1)) {
		if (atomic_load_explicit(&sleep_of_it, memory_order_relaxed) == DOZES && retention_worth_a_glance())
			wake();
		return;
	}
	if (atomic_load(&paused))
		return;
	if (thread_id() && atomic_compare_exchange_strong(&state, &expected, STAYS))
		return;
	/* One that is on its way out is soon gone; if not, the next call comes here again. */
	if (thread_id() || atomic_flag_test_and_set(&making))
		return;
	if (!thread_id() && !atomic_load(&paused))
		make();
	atomic_flag_clear(&making);
}

/* ---- when there is to be none --------------------------------------------------------------------- */

/* Until the kernel has forgotten it: then no count of threads shows it. */
static void await_end(int thread)
{
	const struct timespec wait = { 0, 50000 };
	long process = os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);

	for (int i = 0; i < 20000 && !os_call(SYS_tgkill, process, thread, 0, 0, 0, 0); i++)
		if (i < 20)
			os_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
		else
			os_call(SYS_nanosleep, (long)&wait, 0, 0, 0, 0, 0);
}

void agent_pause(void)
{
	int thread;

	atomic_fetch_add(&paused, 1);
	/* Whoever is making one has seen nothing of that. */
	for (int i = 0; i < 1000 && atomic_flag_test_and_set(&making); i++)
		os_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	thread = thread_id();
	if (thread && thread != os_call(SYS_gettid, 0, 0, 0, 0, 0, 0)) {
		atomic_store(&state, GONE);
		wake();
		await_end(thread);
	}
	atomic_flag_clear(&making);
}

void agent_resume(void)
{
	atomic_fetch_sub(&paused, 1);
}

void agent_stop(void)
{
	agent_pause();
}

void agent_after_fork(void)
{
	atomic_store(&state, GONE);
	__atomic_store_n(&id, 0, __ATOMIC_RELEASE);
	atomic_flag_clear(&making);
	view_set(&view.agent, 0);
	view_set(&view.order, 0);
}

void agent_start(void)
{
	/* On the device, memory is given back by calls on a descriptor. Strictly, nothing is kept. */
	if (settings.agent && !settings.strict && !settings.backend)
		retention_watch(watch);
}
