/* SPDX-License-Identifier: Apache-2.0 */
/*
 * installed.c - upa, as `cmake --install` leaves it: the other commands build, test and measure, and are part of the
 * sources. No script: /bin/sh drops what is in the environment by a name that is none of a variable, as functions are
 * that bash exports.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "own_folder.h"
#include "say.h"
#include "upa/version.h"

static const char usage_text[] =
	"usage: upa run [OPTION...] [--] PROGRAM [ARGUMENT...]   a program with its memory from UPA (upa run --help)\n"
	"       upa --version\n";

static int print(const char *text)
{
	if (fputs(text, stdout) < 0 || fflush(stdout)) {
		say("cannot write to standard output: %s", strerror(errno));
		return STATUS_FAILURE;
	}
	return 0;
}

static int is(const char *word, const char *one, const char *other)
{
	return !strcmp(word, one) || !strcmp(word, other);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : NULL;

	if (!command) {
		say("no command given: see upa --help");
		return STATUS_USAGE;
	}
	if (!strcmp(command, "run")) {
		char *run = joined("%s/upa-run", own_folder());

		argv[1] = run;
		execv(run, argv + 1);
		say("cannot execute %s: %s", run, strerror(errno));
		return STATUS_FAILURE;
	}
	if (is(command, "--version", "-V"))
		return print("upa " UPA_VERSION "\n");
	if (is(command, "--help", "-h") || !strcmp(command, "help"))
		return print(usage_text);
	say("unknown command=%s: installed are run, --version and --help", command);
	return STATUS_USAGE;
}
