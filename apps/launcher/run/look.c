/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upa-program FILE: what will become of LD_PRELOAD in a program, as `upa run` sees it. Prints a word, and more:
 *
 *   glibc NAME, musl NAME   the dynamic linker that the libraries will meet, and the executable
 *   none WHY                the libraries will not be loaded, and why
 *   unknown                 nothing is known against it
 */
#include <stdio.h>

#include "program.h"
#include "say.h"

int main(int argc, char **argv)
{
	struct program_look look;

	if (argc != 2) {
		fprintf(stderr, "usage: upa-program FILE\n");
		return STATUS_USAGE;
	}
	look = program_look(argv[1]);
	switch (look.kind) {
	case PROGRAM_GLIBC: printf("glibc %s\n", look.name); break;
	case PROGRAM_MUSL: printf("musl %s\n", look.name); break;
	case PROGRAM_UNREACHED:
	case PROGRAM_FOREIGN: printf("none %s\n", look.why); break;
	default: puts("unknown");
	}
	return 0;
}
