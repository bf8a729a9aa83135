/* SPDX-License-Identifier: Apache-2.0 */
/* say.h - what upa-run tells its user: one line on standard error each, and the exit status that goes with it. */
#ifndef UPA_RUN_SAY_H
#define UPA_RUN_SAY_H

#define STATUS_FAILURE 1
#define STATUS_USAGE 2
#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND 127

/* "upa: " and the text; goes on. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, and ends with the status; of STATUS_USAGE the line says where to read more. */
_Noreturn void say_and_exit(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory or text that is there, or the end. */
char *joined(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
