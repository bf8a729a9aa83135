/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_writer.h - records the program's page requests in a file (upa/trace.h), if UPA_TRACE names one.
 *
 * For any thread, signal handler, constructor and forked child: no lock, no allocation, no descriptor that stays
 * open. A file that cannot be written costs one line on standard error, or the rest of the records, never the
 * program.
 */
#ifndef UPA_PRELOAD_TRACE_WRITER_H
#define UPA_PRELOAD_TRACE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <upa/trace.h>

extern bool trace_wanted;

/* `file` is UPA_TRACE. */
void trace_start(const char *file);

/*
 * From now on no system call and no more addresses than there are in use: before a filter over system calls, a limit
 * on addresses, or the locking of all of them. What no longer fits into the file is counted as lost, and children
 * record nothing.
 */
void trace_stop_growing(void);

/* The process exits: cuts the file to what has been written. Later requests are not recorded. */
void trace_end(void);

/* Takes the place of a request in the order of all, at this instant; NULL if there is none. */
struct upa_trace_record *trace_place(void);

static inline struct upa_trace_record *trace_claim(void)
{
	return __builtin_expect(trace_wanted, 0) ? trace_place() : NULL;
}

/* Says what has happened; `record` may be NULL. */
static inline void trace_fill(struct upa_trace_record *record, unsigned kind, unsigned flags, unsigned detail,
			      uintptr_t address, size_t bytes)
{
	if (__builtin_expect(!record, 1))
		return;
	record->address = address;
	record->bytes = bytes;
	record->flags = (uint8_t)flags;
	record->detail = (uint16_t)detail;
	__atomic_store_n(&record->kind, (uint8_t)kind, __ATOMIC_RELEASE);
}

#endif
