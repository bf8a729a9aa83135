/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/observe.h"

#include <stdlib.h>
#include <unistd.h>

#include "os/os.h"
#include "settings.h"

bool observing;

static pid_t process;

static pid_t this_process(void)
{
	return (pid_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

void observe_start(void)
{
	statistics_start();
	trace_start(settings.trace);
	observing = statistics_wanted || trace_wanted;
	process = this_process();
	if (observing)
		at_quick_exit(observe_end);
}

bool observed_here(void)
{
	return process == this_process();
}

void observe_after_fork(void)
{
	process = this_process();
}

void observe_end(void)
{
	if (!observing || !observed_here())
		return;
	statistics_print(true);
	trace_end();
}
