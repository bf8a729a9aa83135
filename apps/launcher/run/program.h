/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - the program to run: where it is, and what will become of LD_PRELOAD in it, told by its file alone. */
#ifndef UPA_RUN_PROGRAM_H
#define UPA_RUN_PROGRAM_H

#include <stdbool.h>

#define PROGRAM_NAME_BYTES 4096

enum program_kind {
	PROGRAM_UNKNOWN, /* nothing is known against it */
	PROGRAM_GLIBC,   /* the dynamic linker that the libraries will meet */
	PROGRAM_MUSL,
	PROGRAM_UNREACHED, /* the libraries will not be loaded, but may be into programs that it starts */
	PROGRAM_FOREIGN,   /* nor can they: its dynamic linker would complain of them */
};

struct program_look {
	enum program_kind kind;
	const char *why;               /* of the last two: a clause */
	const char *part;              /* why only part of its memory can come from UPA: a clause, or NULL */
	char name[PROGRAM_NAME_BYTES]; /* of glibc and musl: the executable (the file, or what its "#!" names) */
};

struct program_look program_look(const char *file);

/*
 * The file of a program, found as execvp() does. Ends with STATUS_NOT_FOUND or STATUS_NOT_EXECUTABLE, and a line, if
 * there is nothing to execute.
 */
char *program_find(const char *name);

#endif
