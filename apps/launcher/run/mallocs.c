/* SPDX-License-Identifier: Apache-2.0 */
#include "mallocs.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

static const struct known {
	const char *name, *package;
	const char *files[4]; /* the newest that we have tried first */
} known[] = {
	{ "jemalloc", "libjemalloc2", { "libjemalloc.so.2" } },
	{ "mimalloc",
	  "libmimalloc2.0 (or libmimalloc3)",
	  { "libmimalloc.so.2", "libmimalloc.so.3", "libmimalloc.so.2.0" } },
	{ "tcmalloc", "libtcmalloc-minimal4", { "libtcmalloc_minimal.so.4" } },
};

#define KNOWN (sizeof(known) / sizeof(*known))

#if defined(__x86_64__)
#define TRIPLET "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define TRIPLET "aarch64-linux-gnu"
#else
#define TRIPLET "."
#endif

static const char *const folders[] = { "/usr/local/lib", "/usr/lib/" TRIPLET, "/lib/" TRIPLET, "/usr/lib64",
				       "/usr/lib" };

/*
 * Measured by `./upa apps`, each malloc on UPA, and taken over by hand: apps/README.md has the figures. Another malloc
 * is chosen where it took 3 % less processor time than libc's, at no more than 1.1 times its memory.
 */
static const struct measured {
	const char *program, *malloc; /* NULL: libc's stays */
	const char *figure;
} measured[] = {
	{ "gawk", "mimalloc", "1.06" }, { "perl", "mimalloc", "1.19" }, { "cc1", NULL, NULL },
	{ "gcc", NULL, NULL },          { "git", NULL, NULL },          { "ld", NULL, NULL },
	{ "lua", NULL, NULL },          { "memcached", NULL, NULL },    { "python3", NULL, NULL },
	{ "redis-server", NULL, NULL }, { "sbcl", NULL, NULL },         { "sort", NULL, NULL },
	{ "sqlite3", NULL, NULL },
};

static const char *installed(const char *file)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		char *path = joined("%s/%s", folders[i], file);

		if (!access(path, R_OK))
			return path;
	}
	return NULL;
}

static const struct known *find_known(const char *name)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (!strcmp(known[i].name, name))
			return &known[i];
	return NULL;
}

static const char *file_of(const struct known *k)
{
	const char *found = NULL;

	for (size_t i = 0; !found && i < sizeof(k->files) / sizeof(*k->files) && k->files[i]; i++)
		found = installed(k->files[i]);
	return found;
}

const char *mallocs_find(const char *name)
{
	const struct known *k = find_known(name);
	const char *found;

	if (strchr(name, '/') || (!k && !access(name, R_OK)))
		return name;
	found = k ? file_of(k) : installed(name);
	if (!found && k)
		say_and_exit(STATUS_FAILURE, "malloc=%s is not installed: apt-get install %s", name, k->package);
	return found ? found : name;
}

/* "python3" is python3.11 too, and "lua" lua5.4. */
static const struct measured *find_measured(const char *program)
{
	for (size_t i = 0; i < sizeof(measured) / sizeof(*measured); i++) {
		size_t length = strlen(measured[i].program);

		if (!strncmp(measured[i].program, program, length) &&
		    !program[length + strspn(program + length, "0123456789.")])
			return &measured[i];
	}
	return NULL;
}

const char *mallocs_choose(const struct program_look *look)
{
	const char *slash = strrchr(look->name, '/'), *program = slash ? slash + 1 : look->name, *file;
	const struct measured *m;

	/* What is said of these is said elsewhere. */
	if (look->kind == PROGRAM_UNREACHED || look->kind == PROGRAM_FOREIGN)
		return NULL;
	if (look->kind != PROGRAM_GLIBC) {
		say("malloc=libc: the program's libc is not known to be glibc");
		return NULL;
	}
	m = find_measured(program);
	if (!m) {
		say("malloc=libc for program=%s: it has not been measured (apps/README.md has those that have)",
		    program);
		return NULL;
	}
	if (!m->malloc) {
		say("malloc=libc for program=%s: no other has been measured to be faster", program);
		return NULL;
	}
	file = file_of(find_known(m->malloc));
	if (!file) {
		say("malloc=libc for program=%s: %s, measured to be faster, is not installed: apt-get install %s",
		    program, m->malloc, find_known(m->malloc)->package);
		return NULL;
	}
	say("malloc=%s for program=%s: measured, %s times as fast as libc's", m->malloc, program, m->figure);
	return file;
}
