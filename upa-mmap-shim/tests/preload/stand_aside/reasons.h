/* SPDX-License-Identifier: Apache-2.0 */
/* reasons.h - for which reasons UPA stands aside, and what the files of this folder share. */
#ifndef UPA_TESTS_STAND_ASIDE_REASONS_H
#define UPA_TESTS_STAND_ASIDE_REASONS_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "bare.h"
#include "units.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s, errno=%d\n", __FILE__, __LINE__, #condition, errno);               \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

static inline char *map(size_t bytes)
{
	char *block = mmap(NULL, bytes, RW, ANON, -1, 0);

	CHECK(block != MAP_FAILED);
	return block;
}

/* Could the kernel read this page? */
static inline bool readable(const char *page)
{
	char byte;
	struct iovec to = { &byte, 1 }, from = { (void *)page, 1 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

/* By its name, something that makes UPA stand aside. */
struct reason {
	const char *name;
	void (*run)(void);
};

extern const struct reason reasons[];
extern const size_t reason_count;

/* A request of ioctl() that may hand memory to a device or a guest, with what words say of it. */
struct request {
	const char *name;
	unsigned long number;
	unsigned words[4];
	bool hands_over;
};

extern const struct request requests[];
extern const size_t request_count;

void limit_addresses(void);
void limit_data(void);
void refuse(void);
void lock_all(void);
void announce_filter(void);
void send_without_copying(void);

/* calls.c: what the program does by these names. Exit statuses. */
int calls(void);
int race(void);

#endif
