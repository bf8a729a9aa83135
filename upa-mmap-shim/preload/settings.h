/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - the environment variables of the preloaded library, read once, when it is loaded.
 *
 *   UPA_REGION_BYTES   size of the region: addresses, not memory. Suffixes K, M, G, T. Default: 16 times the machine's memory
 *   UPA_LEAST_BYTES    requests below this size are the kernel's. Default 0
 *   UPA_RETAIN         percent by which resident memory may exceed its recent peak without UPA, 0..1000. Default 10
 *   UPA_DECAY_MS       half-life of the memory of how much was in use lately, in milliseconds, 0..3600000. Default 1000
 *   UPA_BACKEND        where memory comes from: linear (the kernel's, retained; default), pte or pte-raw (/dev/upa, for malloc: device_clients.h)
 *   UPA_POOL_BYTES     page frames that the latter two may take, in bytes. Default: half of the machine's memory
 *   UPA_RECLAIM=1      on pte, the kernel may take free page frames under memory pressure (UPA_REGION_RECLAIM); off by default
 *   UPA_STRICT=1       memory that has been unmapped faults when it is touched: pages are protected while they are free, and
 *                      the heap that grows by brk() is the kernel's
 *   UPA_STATS=1        a table on standard error when the process exits
 *   UPA_TRACE          a file in which the process's page requests are recorded (upa/trace.h)
 *   UPA_REDIRECT=0     leave libc's own internal calls alone: only calls from outside libc are served
 *   UPA_BRK=0          leave the heap that grows by brk() alone
 *   UPA_UNCLEARED=0    what libc's malloc() gets again is cleared, though malloc() promises no zeros (uncleared.h); so it is strictly
 *   UPA_HUGE=0         never ask for huge pages (else where whole 2 MiB are purged and touched again, and huge pages are cheap)
 *   UPA_OFF=1          serve nothing
 *   UPA_LAUNCHED       set by `upa run`: the process that says on standard error if it gets nothing, or only part (outlook.h);
 *                      0: every process
 *
 * A value that makes no sense is named in one line on standard error, and its default holds.
 */
#ifndef UPA_SETTINGS_H
#define UPA_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#define UPA_NOT_LAUNCHED UINT64_MAX

struct settings {
	uint64_t region_bytes;       /* 0: default */
	uint64_t least_bytes;
	uint64_t retain_percent;
	uint64_t decay_ms;
	uint64_t pool_bytes;         /* 0: default */
	uint64_t launched;           /* process id, 0: any, or UPA_NOT_LAUNCHED */
	uint32_t backend;            /* UPA_BACKEND_* */
	const char *trace;           /* NULL: none */
	bool reclaim;
	bool strict;
	bool stats;
	bool redirect;
	bool brk;
	bool uncleared;
	bool huge;
	bool off;
};

extern struct settings settings;

void settings_read(void);

#endif
