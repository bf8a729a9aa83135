/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assert.h - invariants that the code checks itself, in builds with UPA_CHECKED: the sanitizers' and those of the
 * stress tests. Elsewhere a condition is compiled and never evaluated.
 *
 * What is asserted must hold whatever other threads, signal handlers or killed processes have done, unless the state
 * was overwritten from outside. A failure writes one line to standard error, without stdio and memory, and aborts.
 */
#ifndef UPA_OS_ASSERT_H
#define UPA_OS_ASSERT_H

#ifdef UPA_CHECKED

#include <stdlib.h>
#include <string.h>

#include "os/os.h"

__attribute__((cold, noreturn)) static inline void upa_assert_failed(const char *line)
{
	os_call(SYS_write, 2, (long)line, (long)strlen(line), 0, 0, 0);
	abort();
}

#ifdef __FILE_NAME__
#define UPA_ASSERT_FILE __FILE_NAME__
#else
#define UPA_ASSERT_FILE __FILE__
#endif
#define UPA_ASSERT_TEXT_(x) #x
#define UPA_ASSERT_TEXT(x) UPA_ASSERT_TEXT_(x)

#define UPA_ASSERT(condition)                                                                                          \
	((condition) ? (void)0 :                                                                                       \
		       upa_assert_failed("upa: " UPA_ASSERT_FILE ":" UPA_ASSERT_TEXT(__LINE__) ": not so: " #condition \
											       "\n"))

#else

#define UPA_ASSERT(condition) ((void)sizeof(!(condition)))

#endif
#endif
