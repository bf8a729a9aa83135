/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libupa_mmap.so: mmap() and its relatives for a program that knows nothing of UPA. Loaded with LD_PRELOAD, it is
 * found before libc by every library that calls these functions, and redirects libc's own calls (entry/redirect.h).
 * This is where it starts, in the program and in its forked children, and where it ends.
 *
 *   entry/     libc's functions as the program finds them
 *   gate       is there a region, and is this request for it?
 *   stand_aside  what stops when
 *   policy/    how much of what is free stays populated: arithmetic
 *   agent/     a thread that gives back what a silent program keeps
 *   upkeep/    what the kernel says of memory, and what is done by the policy
 *   observe/   statistics, trace, what `upa top` reads
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "clock.h"
#include "agent/agent.h"
#include "entry/device_clients.h"
#include "entry/entry.h"
#include "entry/limits.h"
#include "entry/redirect.h"
#include "gate.h"
#include "observe/observe.h"
#include "observe/outlook.h"
#include "observe/view_writer.h"
#include "os/rlimit.h"
#include "pager/pager.h"
#include "region/region_private.h"
#include "settings.h"
#include "stand_aside.h"
#include "upkeep/ahead.h"
#include "upkeep/heap.h"
#include "upkeep/purging.h"
#include "upkeep/retention.h"

/* Sanitizers keep a map of the address space of their own, and look at every mmap themselves. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));
extern void __hwasan_init(void) __attribute__((weak));

/* Is this process left alone? */
static bool left_alone(void)
{
	if (settings.off)
		stand_aside(ASIDE_OFF);
	else if (!os_pages_fit())
		stand_aside(ASIDE_PAGE_SIZE);
	else if (__asan_init || __tsan_init || __msan_init || __hwasan_init)
		stand_aside(ASIDE_SANITIZER);
	else if (os_limited(RLIMIT_AS))
		stand_aside(ASIDE_ADDRESS_LIMIT);
	else if (os_limited(RLIMIT_DATA))
		stand_aside(ASIDE_DATA_LIMIT);
	else
		return false;
	return true;
}

static void in_child(void)
{
	gate_after_fork();
	retention_after_fork();
	purging_after_fork();
	heap_after_fork();
	statistics_after_fork();
	view_after_fork();
	observe_after_fork();
	agent_after_fork();
	agent_resume();
}

static void partly(const char *why)
{
	statistics_note(why);
	outlook_part(why);
}

static void redirect_libc(void)
{
	struct redirection list[] = {
		{ .name = "execve", .to = libc_execve, .optional = true }, /* only for the statistics */
		{ .name = "munmap", .to = libc_munmap },
		{ .name = "mremap", .to = libc_mremap },
		{ .name = "madvise", .to = libc_madvise },
		{ .name = "mprotect", .to = libc_mprotect },
		{ .name = "mmap", .to = libc_mmap },
		{ .name = "mlock", .to = libc_mlock, .optional = true },
		{ .name = "mlockall", .to = libc_mlockall, .optional = true },
		{ .name = "brk", .to = libc_brk, .optional = true },
	};
	size_t n = sizeof(list) / sizeof(*list);
	void **libc_break = symbol_first("__curbrk");
	bool keeps = settings.brk && !settings.strict;
	const char *refused;

	/* Strictly, nothing is kept; but a call that is refused may be because of us (entry/limits.h). */
	if ((keeps || settings.strict) && libc_break)
		heap_start(libc_break);
	else
		n--;
	if (!keeps && libc_break)
		heap_stop();
	refused = statistics_wanted ? redirect(list, n) : redirect(list + 1, n - 1);
	for (size_t i = 0; i < n; i++)
		if (list[i].done)
			next_redirected(list[i].name);
	if (refused)
		partly(refused);
	else if (!keeps || list[n - 1].to != libc_brk)
		statistics_note("the heap that grows by brk() is the kernel's");
	else if (!list[n - 1].done)
		partly("the heap that grows by brk() is the kernel's");
}

__attribute__((constructor(101))) static void start(int argc, char **argv, char **environment)
{
	int (*gettime)(clockid_t, struct timespec *);

	(void)argc;
	(void)argv;
	/* Before libc's own constructor, which does the same. Where that has run already there may be no arguments. */
	if (!environ)
		environ = environment;
	settings_read();
	next_find();
	gettime = (__typeof__(gettime))next_in_libc("clock_gettime");
	if (gettime)
		clock_use(gettime);
	observe_start();
	if (left_alone())
		return;
	if (settings.backend) {
		device_start();
		/* In a child, the region comes first. */
		upa_region_watch_forks();
	}
	pager_prepare();
	/* What stays in memory, and what goes, is the pager's to say. */
	if (pager_wanted()) {
		settings.retain_percent = 1000;
		settings.huge = false;
	}
	retention_start();
	ahead_start();
	if (!pager_wanted())
		agent_start();
	/* Handlers that are registered later run earlier. */
	pthread_atfork(retention_fork, NULL, NULL);
	/* The agent comes again with the parent's next call that keeps something: who has forked may count threads. */
	pthread_atfork(agent_pause, agent_resume, in_child);
	raw_start();
	if (settings.redirect)
		redirect_libc();
	else
		statistics_note("libc's own calls go to the kernel: UPA_REDIRECT=0");
	pager_start();
	if (!pager_wanted())
		purging_start();
	if (settings.strict && !settings.backend)
		statistics_note("UPA_STRICT=1: free pages are guarded, at a system call for each request");
	gate_open();
}

__attribute__((destructor)) static void stop(void)
{
	observe_end();
}
