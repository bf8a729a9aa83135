/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "pager/core.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "os/os.h"
#include "os/signals.h"
#include "pager/pager.h"

/* So long a program may take to have its pages back, if a store is slow or silent. */
#define MOST_MILLISECONDS 60000u

/* Of these the default is a core file. */
static const int signals[] = { SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS };

#define SIGNALS (sizeof(signals) / sizeof(*signals))

static _Atomic long process; /* that is paged: neither a child of clone() nor one of vfork() */
static _Atomic bool dumping;
static char stands_still; /* its address, sent with a signal, tells a thread to */

static long call(long number, long a, long b, long c, long d)
{
	return os_call(number, a, b, c, d, 0, 0);
}

static bool is_piped(void)
{
	char first = 0;
	long fd = call(SYS_openat, AT_FDCWD, (long)"/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return false;
	call(SYS_read, fd, (long)&first, 1, 0);
	call(SYS_close, fd, 0, 0, 0);
	return first == '|';
}

/* A limit of 0 holds for files, one of 1 for pipes. */
static bool dumps_core(void)
{
	struct rlimit64 limit = { 0, 0 };

	call(SYS_prlimit64, 0, RLIMIT_CORE, 0, (long)&limit);
	return call(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0) != 0 &&
	       (limit.rlim_cur > 1 || (limit.rlim_cur == 0 && is_piped()));
}

static long this_process(void)
{
	return call(SYS_getpid, 0, 0, 0, 0);
}

static long this_thread(void)
{
	return call(SYS_gettid, 0, 0, 0, 0);
}

static void send(long thread, int signal, siginfo_t *info)
{
	os_call(SYS_rt_tgsigqueueinfo, this_process(), thread, signal, (long)info, 0, 0);
}

/* Forever: the kernel ends this thread. */
static void stand_still(void)
{
	static _Atomic uint32_t never;

	os_block_signals(OS_ALL_SIGNALS);
	for (;;)
		call(SYS_futex, (long)&never, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, 0);
}

/* All but this one and those that let no signal in, as the client's own do. */
static void stop_others(int signal)
{
	siginfo_t info = { .si_signo = signal, .si_code = SI_QUEUE };
	_Alignas(8) char entries[2048];
	long self = this_thread(), n;
	long fd = call(SYS_openat, AT_FDCWD, (long)"/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	info.si_value.sival_ptr = &stands_still;
	while (fd >= 0 && (n = call(SYS_getdents64, fd, (long)entries, sizeof(entries), 0)) > 0)
		for (long at = 0; at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);
			long thread = 0;

			for (const char *digit = entry->d_name; *digit >= '0' && *digit <= '9'; digit++)
				thread = 10 * thread + (*digit - '0');
			if (thread && thread != self)
				send(thread, signal, &info);
			at += entry->d_reclen;
		}
	if (fd >= 0)
		call(SYS_close, fd, 0, 0, 0);
}

/* The kernel's structure, of which the first word is the handler. */
struct disposition {
	uint64_t handler;
	uint64_t others[3];
};

static bool is_default(int signal)
{
	struct disposition now = { 1, { 0 } };

	call(SYS_rt_sigaction, signal, 0, (long)&now, sizeof(uint64_t));
	return now.handler == (uint64_t)(uintptr_t)SIG_DFL;
}

static void before_core(int signal, siginfo_t *info, void *context)
{
	const struct disposition standard = { (uint64_t)(uintptr_t)SIG_DFL, { 0 } };

	(void)context;
	if (this_process() == atomic_load(&process)) {
		if (info->si_code == SI_QUEUE && info->si_value.sival_ptr == &stands_still)
			stand_still();
		if (dumps_core()) {
			/* The first thread says where the program has ended. */
			if (atomic_exchange(&dumping, true))
				stand_still();
			stop_others(signal);
			pager_bring_in(MOST_MILLISECONDS);
		}
	}
	call(SYS_rt_sigaction, signal, (long)&standard, 0, sizeof(uint64_t));
	/* It is blocked until we return. */
	send(this_thread(), signal, info);
}

bool core_is_ours(const void *handler)
{
	return handler == (const void *)(uintptr_t)before_core;
}

static void take(int signal)
{
	struct sigaction ours = { .sa_sigaction = before_core, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigfillset(&ours.sa_mask);
	if (is_default(signal))
		sigaction(signal, &ours, NULL);
}

void core_watch(int signal)
{
	for (size_t i = 0; atomic_load_explicit(&process, memory_order_relaxed) && i < SIGNALS; i++)
		if (signals[i] == signal)
			take(signal);
}

void core_start(void)
{
	atomic_store(&process, this_process());
	for (size_t i = 0; i < SIGNALS; i++)
		take(signals[i]);
}
