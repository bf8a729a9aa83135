/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conformance.h - what the scenarios of this folder share. Each says what came of calls: results, errno, contents,
 * faults, no addresses. It links nothing of UPA; what is said with and without the preloaded library must be the same
 * (preload_test.sh).
 */
#ifndef UPA_TESTS_CONFORMANCE_H
#define UPA_TESTS_CONFORMANCE_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../said.h"

/* Newer than glibc 2.31. */
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* A fault is expected, and where to go on then. */
extern sigjmp_buf escape;
extern volatile sig_atomic_t fault_expected;

/* What a byte reads as: its value, or "SIGSEGV" or "SIGBUS" as a negative number. */
static inline int peek(const volatile char *address)
{
	int signal = sigsetjmp(escape, 1);
	int value;

	if (signal)
		return -signal;
	fault_expected = 1;
	value = *address;
	fault_expected = 0;
	return value;
}

static inline int poke(volatile char *address, char value)
{
	int signal = sigsetjmp(escape, 1);

	if (signal)
		return -signal;
	fault_expected = 1;
	*address = value;
	fault_expected = 0;
	return 0;
}

static inline bool zero(const char *block, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (block[i])
			return false;
	return true;
}

/* A scratch file of `bytes` bytes of 'f', already unlinked. */
static inline int file(size_t bytes)
{
	char name[] = "/tmp/upa-conformance-XXXXXX";
	int fd = mkstemp(name);
	char *text = malloc(bytes);

	memset(text, 'f', bytes);
	if (fd < 0 || unlink(name) || write(fd, text, bytes) != (ssize_t)bytes) {
		perror(name);
		exit(1);
	}
	free(text);
	return fd;
}

/* ---- the scenarios ------------------------------------------------------------------------------ */

void break_moves(void);
void protected_heap(void);
void zeros_after_reuse(void);
void errors_of_mmap(void);
void hints(void);
void holes(void);
void replaced_by_file(void);
void none_and_back(void);
void shared_anonymous(void);
void other_flags(void);
void protection(void);
void advice(void);
void purge_of_what_is_not_ordinary(void);
void fork_advice(void);
void purge_around_guards(void);
void remapping(void);
void moved_smaller(void);
void residency(void);
void odd_protections(void);
void odd_advice(void);
void odd_locks(void);
void odd_questions(void);
void odd_unmapping(void);
void odd_moves(void);
void odd_places(void);
void odd_huge_pages(void);
void odd_pointers(void);
void unlocked_by_unmapping(void);
void copy_on_write(void);
void vfork_child(void);
void threads_and_forks(void);
void in_signal_handlers(void);
void spliced(void);
void library_memory(void);
void limits(void);
void after_munmap(void);
void many_holes(void);

#endif
