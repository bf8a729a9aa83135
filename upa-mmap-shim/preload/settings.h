/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - the environment variables UPA_* of the preloaded library, read once, when it is loaded. What there
 * are, their values, defaults and meaning is one table, in settings.c, which the library prints itself:
 *
 *   UPA_SETTINGS=print LD_PRELOAD=libupa_mmap.so true
 *
 * A value that makes no sense is named in one line on standard error, and its default holds. So is a variable UPA_*
 * that does not exist, and it is ignored.
 */
#ifndef UPA_SETTINGS_H
#define UPA_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#define UPA_NOT_LAUNCHED UINT64_MAX

struct settings {
	uint64_t region_bytes; /* 0: default */
	uint64_t least_bytes;
	uint64_t retain_percent;
	uint64_t decay_ms;
	uint64_t pool_bytes;    /* 0: default */
	uint64_t launched;      /* process id, 0: any, or UPA_NOT_LAUNCHED */
	uint64_t backend;       /* UPA_BACKEND_* */
	const char *trace;      /* NULL: none */
	const char *stats_file; /* NULL: standard error */
	const char *stats_rest; /* NULL: none (observe/rest.h) */
	const char *pager;      /* NULL: none (pager/pager.h) */
	uint64_t pager_bytes;   /* 0: not known */
	bool reclaim;
	bool blocks;
	bool agent;
	bool strict;
	bool stats;
	bool stats_json;
	bool redirect;
	bool brk;
	bool uncleared;
	bool huge;
	bool ahead;
	bool off;
};

extern struct settings settings;

/* For a process with one thread. Does not return if the settings are to be printed. */
void settings_read(void);

#endif
