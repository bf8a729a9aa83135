/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upa/trace.h - the file that `upa run --trace FILE` (UPA_TRACE=FILE) records: the page requests of one process.
 *
 * Layout, version 1 (little endian)
 *
 *   0      struct upa_trace_header, 4096 bytes
 *   4096   struct upa_trace_record x n, 32 bytes each, in the order in which the requests took effect
 *
 * A request that frees pages has its place before the call, one that gets pages after it; so whoever walks the records
 * in order never sees a page handed out that is still in use. A record of kind 0 has not been written: its thread was
 * in the call when the process ended. Behind the last record the file may go on with zeros, up to 256 KiB of them, if
 * the process did not end by exit(): header.records is 0 then, and the records end with the last whose kind is not 0.
 *
 * The records are stored into a shared mapping of the file, whose blocks are reserved before: what a process has
 * recorded stays however it ends. The first process records FILE, each other one FILE.PID; `%p` in FILE stands for the
 * process id. After exec() a process records anew in place of what it has recorded before. One made by vfork() is part
 * of its parent until then.
 *
 *   kind       address              bytes                detail         flags
 *   MAP        result, or hint      asked for            protection     those below
 *   UNMAP      start                asked for            0
 *   RESIZE     old address          old size             MREMAP_ flags  its success: the next RESIZED of the same
 *   thread
 *   RESIZED    new address          new size             MREMAP_ flags
 *   ADVISE     start                asked for            MADV_ advice
 *   PROTECT    start                asked for            protection
 *   BREAK      new program break    by how much it moved 0              SHRINKS if downwards
 */
#ifndef UPA_TRACE_H
#define UPA_TRACE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UPA_TRACE_MAGIC 0x3143415254415055ull /* the bytes "UPATRAC1" */
#define UPA_TRACE_VERSION 1u

/* Kinds. */
#define UPA_TRACE_MAP 1u
#define UPA_TRACE_UNMAP 2u
#define UPA_TRACE_RESIZE 3u
#define UPA_TRACE_RESIZED 4u
#define UPA_TRACE_ADVISE 5u
#define UPA_TRACE_PROTECT 6u
#define UPA_TRACE_BREAK 7u

/* Flags. */
#define UPA_TRACE_SERVED 1u     /* by UPA: the pages come from, or stay in, its region or the heap that it keeps */
#define UPA_TRACE_FAILED 2u     /* with an errno; nothing has changed */
#define UPA_TRACE_ANONYMOUS 4u  /* MAP: MAP_ANONYMOUS */
#define UPA_TRACE_SHARED 8u     /* MAP: MAP_SHARED */
#define UPA_TRACE_FIXED 16u     /* MAP: MAP_FIXED or MAP_FIXED_NOREPLACE */
#define UPA_TRACE_NORESERVE 32u /* MAP: MAP_NORESERVE */
#define UPA_TRACE_STACK 64u     /* MAP: MAP_STACK */
#define UPA_TRACE_SHRINKS 128u  /* BREAK: it moved down */

struct upa_trace_header {
	uint64_t magic;           /* UPA_TRACE_MAGIC, written last */
	uint32_t version;         /* UPA_TRACE_VERSION */
	uint32_t header_bytes;    /* 4096 */
	uint32_t record_bytes;    /* 32 */
	uint32_t process;         /* its id */
	uint64_t started_unix_ns; /* real time of record.ns == 0 */
	uint64_t ended_ns;        /* when it ended by exit(), else 0 */
	uint64_t records;         /* if it ended by exit(), else 0 */
	uint64_t lost;            /* requests without a record: the file could not grow */
	char command[512];        /* with its arguments, a space between them, cut off if longer; ends with 0 */
	char reserved[3528];      /* 0 */
};

struct upa_trace_record {
	uint64_t ns; /* since the trace began */
	uint64_t address;
	uint64_t bytes;
	uint32_t thread; /* its id, as gettid() says */
	uint8_t kind;    /* written last */
	uint8_t flags;
	uint16_t detail;
};

#ifdef __cplusplus
}
#endif
#endif
