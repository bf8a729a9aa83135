/* SPDX-License-Identifier: Apache-2.0 */
/* trace_file.h - the file that a trace goes to. */
#ifndef UPA_RUN_TRACE_FILE_H
#define UPA_RUN_TRACE_FILE_H

/*
 * Makes way for a trace: former ones of that name go, those of children too; anything else stays. Returns its absolute
 * path. Ends with a line if a trace cannot be written there.
 */
char *trace_file_prepare(const char *file);

#endif
