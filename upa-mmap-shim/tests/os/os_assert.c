/* SPDX-License-Identifier: Apache-2.0 */
/* os_assert.c - an assertion that fails says where and what, and ends the process; one that holds does nothing. */
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "os/assert.h"

static int evaluated;

static bool holds(bool so)
{
	evaluated++;
	return so;
}

int main(void)
{
	const struct rlimit no_core = { 0, 0 };
	char text[200] = "";
	char expected[200];
	int pipes[2];
	int status;
	int line;
	pid_t child;

	UPA_ASSERT(holds(true));
	CHECK(evaluated == 1, "evaluated=%d", evaluated);

	CHECK(!pipe(pipes), "pipe");
	child = fork();
	if (!child) {
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(pipes[1], 2);
		UPA_ASSERT(holds(false) && "as it should");
		_exit(0);
	}
	line = __LINE__ - 3;
	close(pipes[1]);
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status=%#x",
	      status);
	CHECK(read(pipes[0], text, sizeof(text) - 1) > 0, "nothing was said");
	snprintf(expected, sizeof(expected), "upa: os_assert.c:%d: not so: holds(false) && \"as it should\"\n", line);
	CHECK(!strcmp(text, expected), "said: %s expected: %s", text, expected);
	return 0;
}
