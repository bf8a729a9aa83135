/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "pager/pager.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include <upa/region.h>

#include "gate.h"
#include "mman/mman_private.h"
#include "observe/statistics.h"
#include "os/message.h"
#include "os/os.h"
#include "os/page.h"
#include "os/signals.h"
#include "pager/client.h"
#include "pager/core.h"
#include "pager/hints.h"
#include "region/region_private.h"
#include "settings.h"

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Memory in use grows by no more than this in a second, for certain. */
#define MOST_GROWTH (4ull << 30)
#define LEAST_WAIT 1000000ull
/* The client's own, and what has come sooner than others leave. */
#define MOST_BESIDE (64ull << 20)
#define MOST_WAIT 100000000ull

enum { OFF, WANTED, CONNECTED, GONE };

static _Atomic int phase;
static _Atomic uint32_t wake;  /* a futex of the watch */
static _Atomic uint32_t asked; /* tickets for PAGER_FREEZE */
static _Atomic uint32_t thawed;
static _Atomic uint32_t leaving;
static struct pager_message slow_order;
static _Atomic bool has_slow_order;
static _Atomic uint32_t granted; /* a futex: tickets up to this */
static _Atomic uint32_t gone;    /* a futex */
static _Atomic bool active;      /* memory in use has come near the bound */
static char path[108];
static long process; /* that is paged */
static uid_t user;
static _Atomic long threads[2]; /* of the client; STARTING; 0: none */
#define STARTING (-1)

static void futex_wait(_Atomic uint32_t *at, uint32_t value, const struct timespec *most)
{
	os_call(SYS_futex, (long)at, FUTEX_WAIT_PRIVATE, value, (long)most, 0, 0);
}

static void futex_wake(_Atomic uint32_t *at)
{
	os_call(SYS_futex, (long)at, FUTEX_WAKE_PRIVATE, INT_MAX, 0, 0, 0);
}

static void wake_watch(void)
{
	atomic_fetch_add(&wake, 1);
	futex_wake(&wake);
}

bool pager_wanted(void)
{
	int now = atomic_load_explicit(&phase, memory_order_relaxed);

	return now == WANTED || now == CONNECTED;
}

static long this_process(void)
{
	return os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static void say(const char *what, const char *why, int error)
{
	struct message m = { .length = 0 };

	message_text(&m, "upa: pid=");
	message_number(&m, (uint64_t)this_process(), 0);
	message_text(&m, what);
	message_text(&m, why);
	if (error) {
		message_text(&m, ": errno=");
		message_number(&m, (uint64_t)-error, 0);
	}
	message_text(&m, "\n");
	message_send(&m, 2);
}

void pager_missed(size_t length)
{
	static _Atomic bool said;
	struct message m = { .length = 0 };

	if (!pager_wanted() || atomic_exchange(&said, true))
		return;
	message_text(&m, "upa: pid=");
	message_number(&m, (uint64_t)this_process(), 0);
	message_text(&m, " has memory that is not paged: no room for bytes=");
	message_number(&m, length, 0);
	message_text(&m, "; set UPA_REGION_BYTES to more\n");
	message_send(&m, 2);
}

/*
 * Memory that the kernel has mapped for the program where it wanted it, as the heap of a Java virtual machine in what
 * it has reserved, is not the region's: nobody pages it. Said once, if that alone is more than the bound. `paged` is
 * what may be the region's of what is the process's own.
 */
static void look_for_others(uint64_t own, uint64_t paged)
{
	static bool said;
	static unsigned looks;
	uint64_t bound = atomic_load(&client.bound);
	struct message m = { .length = 0 };

	bound = bound ? bound : settings.pager_bytes;
	looks = bound && own > bound + paged ? looks + 1 : 0;
	/* What is on its way out counts for a moment. */
	if (said || looks < 3)
		return;
	said = true;
	message_text(&m, "upa: pid=");
	message_number(&m, (uint64_t)this_process(), 0);
	message_text(&m,
		     " has memory that is not paged, since it is mapped where the program has reserved addresses, as a"
		     " Java heap is: bytes=");
	message_number(&m, own - paged, 0);
	message_text(&m, "\n");
	message_send(&m, 2);
}

/* ---- threads of the program ---------------------------------------------------------------------- */

void pager_granted(uint32_t ticket)
{
	atomic_store(&granted, ticket);
	futex_wake(&granted);
}

void pager_left(void)
{
	atomic_store(&phase, GONE);
	atomic_store(&gone, 1);
	futex_wake(&gone);
	futex_wake(&granted);
}

void pager_changed(void)
{
	atomic_fetch_add(&client.pagers, 1);
	wake_watch();
}

void pager_slow_order(const struct pager_message *order)
{
	/* One of a pager that has died meanwhile is still under way. This one will ask again. */
	if (atomic_load(&has_slow_order)) {
		client_say(PAGER_DONE, 0, order->ticket);
		return;
	}
	slow_order = *order;
	atomic_store(&has_slow_order, true);
	wake_watch();
}

/* In the order of tickets, which may wrap round. */
static bool is_granted(uint32_t ticket)
{
	return (int32_t)(atomic_load(&granted) - ticket) >= 0;
}

/* A child of clone() or vfork() has what we know, and no client. */
static bool is_connected(void)
{
	return atomic_load(&phase) == CONNECTED && this_process() == process;
}

/* Asks for all to be in memory and to stay there, and waits for it, no longer than that. False: it has not come. */
static bool ask_for_all(uint64_t milliseconds)
{
	const struct timespec most = { .tv_nsec = 100000000 };
	uint32_t ticket = atomic_fetch_add(&asked, 1) + 1;
	uint64_t waited = 0;

	wake_watch();
	for (; !is_granted(ticket) && !atomic_load(&gone) && waited < milliseconds; waited += 100)
		futex_wait(&granted, atomic_load(&granted), &most);
	return waited < milliseconds;
}

/* For pages that leave the region. */
static void freeze(void)
{
	if (is_connected())
		ask_for_all(UINT64_MAX);
}

bool pager_bring_in(unsigned milliseconds)
{
	if (!is_connected() || !atomic_load(&client.evicted) || ask_for_all(milliseconds))
		return true;
	say(" dumps core: what has not come back from stores is zeros in it", "", -ETIMEDOUT);
	return false;
}

static void thaw(void)
{
	if (!is_connected())
		return;
	atomic_fetch_add(&thawed, 1);
	wake_watch();
}

/* ---- fork() -------------------------------------------------------------------------------------- */

/*
 * The child has no client: nothing of it leaves memory. What its parent has outside of memory it gets from the pager
 * when it touches it, by a userfaultfd of its own, which the client of its parent keeps (forks.h). Where there are no
 * gates, and the pager has died before, nobody keeps it: then this page reads zero, as all others would.
 */
void pager_forked(void)
{
	bool inherits = atomic_load(&phase) == CONNECTED && atomic_load(&client.evicted);

	atomic_store(&phase, OFF);
	if (inherits && !*client.known) {
		say(" was forked when the pager was killed: it would read zeros, and is killed", "", -EAGAIN);
		client_die();
	}
}

void pager_leave(void)
{
	const struct timespec most = { .tv_nsec = 100000000 };
	int now = WANTED;

	if (atomic_load(&phase) == OFF || this_process() != process)
		return;
	if (atomic_compare_exchange_strong(&phase, &now, GONE)) {
		say(" does what does not go with paging: ", "its memory has no bound", 0);
		wake_watch();
	}
	if (now != CONNECTED)
		return;
	atomic_store(&leaving, 1);
	wake_watch();
	while (!atomic_load(&gone))
		futex_wait(&gone, 0, &most);
}

/* In the order in which they start: the first starts the second. */
void pager_end(void)
{
	if (atomic_load(&phase) == OFF || this_process() != process)
		return;
	pager_leave();
	for (size_t i = 0; i < sizeof(threads) / sizeof(*threads); i++) {
		long thread;

		while ((thread = atomic_load(&threads[i])) != 0 &&
		       (thread == STARTING || !os_call(SYS_tgkill, process, thread, 0, 0, 0, 0)))
			os_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	}
}

static bool is_user(uid_t then, uid_t now)
{
	return (then == (uid_t)-1 ? now : then) == user;
}

void pager_change_user(uid_t real, uid_t effective, uid_t saved)
{
	uid_t now[3];

	if (pager_wanted() && !os_call(SYS_getresuid, (long)&now[0], (long)&now[1], (long)&now[2], 0, 0, 0) &&
	    !is_user(real, now[0]) && !is_user(effective, now[1]) && !is_user(saved, now[2]))
		pager_end();
}

void pager_hint(void *address, size_t length, enum upa_hint_kind kind, int priority)
{
	uintptr_t first = (uintptr_t)address, end, base;

	/* Of no use before pages can leave. The region is known by then. */
	if (atomic_load(&phase) != CONNECTED || !atomic_load(&active))
		return;
	base = (uintptr_t)client.region;
	end = length > UINTPTR_MAX - first ? UINTPTR_MAX : first + length;
	if (first < base)
		first = base;
	if (end > base + client.region_bytes)
		end = base + client.region_bytes;
	if (first >= end)
		return;
	first = (first - base) / PAGE_BYTES;
	end = (end - base + PAGE_BYTES - 1) / PAGE_BYTES;
	if (hints_put((struct hint){ first, (uint32_t)(end - first), (uint32_t)kind | (uint32_t)priority << 8 }))
		wake_watch();
}

/* ---- the watch ----------------------------------------------------------------------------------- */

/* Bytes of the process that are resident; all there could be if it cannot be read. *own: without pages of files. */
static uint64_t resident_bytes(int fd, uint64_t *own)
{
	uint64_t fields[3] = { 0, 0, 0 }; /* its size, what is resident, pages of files */
	char text[128], *at = text;
	long n = fd < 0 ? -1 : os_call(SYS_pread64, fd, (long)text, sizeof(text) - 1, 0, 0, 0);

	*own = 0;
	if (n <= 0)
		return UINT64_MAX;
	text[n] = 0;
	for (unsigned i = 0; i < 3; i++, at += *at == ' ')
		for (; *at >= '0' && *at <= '9'; at++)
			fields[i] = fields[i] * 10 + (uint64_t)(*at - '0');
	*own = (fields[1] - fields[2]) * PAGE_BYTES;
	return fields[1] * PAGE_BYTES;
}

/* Nanoseconds in which memory in use cannot pass the limit. */
static uint64_t wait_below(uint64_t resident, uint64_t limit)
{
	uint64_t room = limit > resident ? limit - resident : 0;
	uint64_t wait = room / (MOST_GROWTH / 1000000000ull + 1);

	return wait < LEAST_WAIT ? LEAST_WAIT : wait > MOST_WAIT ? MOST_WAIT : wait;
}

static void sleep_until_woken(uint32_t seen, uint64_t nanoseconds)
{
	struct timespec most = { .tv_sec = 0, .tv_nsec = (long)nanoseconds };

	futex_wait(&wake, seen, &most);
}

static void *execute(void *unused)
{
	atomic_store(&threads[1], os_call(SYS_gettid, 0, 0, 0, 0, 0, 0));
	client_execute();
	return unused;
}

static bool start_thread(void *(*function)(void *), unsigned number)
{
	uint64_t before = os_block_signals(OS_THREAD_SIGNALS);
	pthread_t thread;
	int error;

	atomic_store(&threads[number], STARTING);
	error = pthread_create(&thread, NULL, function, NULL);
	if (!error)
		pthread_detach(thread);
	else
		atomic_store(&threads[number], 0);
	os_block_signals(before);
	return !error;
}

/* A table of descriptors that nobody else has; of those there were, only standard error stays. */
static bool own_descriptors(void)
{
	return !os_call(SYS_close_range, 0, 1, CLOSE_RANGE_UNSHARE, 0, 0, 0) &&
	       !os_call(SYS_close_range, 3, ~0u, 0, 0, 0, 0);
}

/* Waits for a region worth paging; false if the process is to be left alone. */
static bool await_region(int statm)
{
	uint64_t own;

	for (unsigned i = 0; atomic_load(&phase) == WANTED; i++) {
		uint32_t seen = atomic_load(&wake);
		struct upa_region *region = gate_region();

		if (region) {
			client.region = upa_region_base(region);
			client.region_bytes = atomic_load(upa_region_extent(region));
			return true;
		}
		if (i % 25 == 0) {
			resident_bytes(statm, &own);
			look_for_others(own, 0);
		}
		sleep_until_woken(seen, MOST_WAIT / 5);
	}
	return false;
}

/* What a pager has been told. */
struct said {
	uint32_t pager; /* which one */
	uint32_t asked;
	uint32_t frozen;
	bool leaves;
};

/* Passes on what threads of the program ask for. */
static void pass_on(struct said *said)
{
	struct hint hint;
	uint32_t pager = atomic_load(&client.pagers);
	uint32_t ends = atomic_load(&thawed), tickets = atomic_load(&asked), frozen = tickets - ends;

	if (pager != said->pager) {
		*said = (struct said){ .pager = pager };
		if (atomic_load(&active))
			client_say(PAGER_ACTIVATE, 0, 0);
	}
	if (frozen != said->frozen || (frozen && tickets != said->asked))
		client_say(PAGER_FREEZE, frozen, tickets);
	said->asked = tickets;
	said->frozen = frozen;
	while (hints_take(&hint))
		client_say_of(PAGER_HINT, hint.pages, hint.what, hint.first);
	if (atomic_load(&leaving) && !said->leaves) {
		said->leaves = true;
		client_say(PAGER_LEAVE, 0, 0);
	}
}

static void look_after(int statm)
{
	struct said said = { .pager = atomic_load(&client.pagers) };

	while (!atomic_load(&gone)) {
		uint32_t seen = atomic_load(&wake);
		uint64_t bound = atomic_load(&client.bound), limit = bound - bound / 4;
		bool near = atomic_load(&active);
		uint64_t own, resident = resident_bytes(statm, &own);

		if (!near && resident >= limit) {
			client_say(PAGER_ACTIVATE, 0, 0);
			atomic_store(&active, near = true);
		}
		/* Of the region more than the bound is not in memory for long. */
		if (near)
			look_for_others(own, bound + MOST_BESIDE);
		pass_on(&said);
		if (atomic_load(&has_slow_order)) {
			struct pager_message order = slow_order;

			client_execute_slowly(&order);
			atomic_store(&has_slow_order, false);
			continue;
		}
		sleep_until_woken(seen, near ? 999999999 : wait_below(resident, limit));
	}
}

static void *watch(void *unused)
{
	const char *what = "it cannot have descriptors of its own";
	int now = WANTED, error = -EINVAL, statm = -1;

	atomic_store(&threads[0], os_call(SYS_gettid, 0, 0, 0, 0, 0, 0));
	/* After chroot() there would be no way to the next pager. */
	os_call(SYS_unshare, CLONE_FS, 0, 0, 0, 0, 0);
	if (own_descriptors()) {
		statm = (int)os_call(SYS_openat, AT_FDCWD, (long)"/proc/thread-self/statm", O_RDONLY | O_CLOEXEC, 0, 0,
				     0);
		error = await_region(statm) ? 0 : -EINVAL;
	}
	if (!error)
		error = client_connect(path, &what);
	if (!error && !start_thread(execute, 1))
		error = -EAGAIN;
	if (error) {
		if (atomic_load(&phase) == WANTED)
			say(" is not paged, its memory has no bound: ", what, error);
		pager_left();
		return unused;
	}
	if (!atomic_compare_exchange_strong(&phase, &now, CONNECTED))
		atomic_store(&leaving, 1);
	look_after(statm);
	return unused;
}

void pager_prepare(void)
{
	if (!settings.pager)
		return;
	if (strlen(settings.pager) >= sizeof(path)) {
		say(" is not paged, its memory has no bound: ", "the path of the socket is too long", -ENAMETOOLONG);
		return;
	}
	strcpy(path, settings.pager);
	process = this_process();
	user = (uid_t)os_call(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	atomic_store(&phase, WANTED);
	core_start();
	pthread_atfork(NULL, NULL, pager_forked);
	upa_leaving = (struct upa_leaving){ .begin = freeze, .end = thaw };
}

void pager_start(void)
{
	if (pager_wanted() && !start_thread(watch, 0)) {
		say(" is not paged, its memory has no bound: ", "there can be no thread", -EAGAIN);
		pager_left();
	}
}
