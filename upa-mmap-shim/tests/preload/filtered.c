/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filtered.c - starts itself under a filter that kills at every system call by which the library asks the kernel, and
 * that a program with libc's malloc does not make; then uses memory in the ways that make the library ask. As a service
 * manager or a sandbox does: the filter is there before the program.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "units.h"

static const int killers[] = {
	SYS_mincore,         SYS_process_vm_readv, SYS_process_madvise, SYS_userfaultfd,  SYS_ioctl,
	SYS_sched_yield,     SYS_move_pages,       SYS_membarrier,      SYS_memfd_create, SYS_pidfd_open,
	SYS_perf_event_open, SYS_timer_create,     SYS_seccomp,         SYS_close_range,  SYS_tgkill,
};

static int filter(void)
{
	struct sock_filter code[2 * sizeof(killers) / sizeof(*killers) + 8];
	unsigned short n = 0;
	struct sock_fprog program = { .filter = code };

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(killers) / sizeof(*killers); i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)killers[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	}
	/* prctl() only to name memory. */
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x53564d41 /* PR_SET_VMA */, 0, 1);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = n;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static int wrong(const char *block, size_t bytes, char value)
{
	for (size_t i = 0; i < bytes; i++)
		if (block[i] != value)
			return 1;
	return 0;
}

/* Purged over and over, sparse and dense blocks used again, heaps that grow and are trimmed, seconds of rest. */
static int use(void)
{
	char *kept = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int errors = 0;

	for (int i = 0; i < 400; i++) {
		char *part = kept + (size_t)(i % 4) * 2 * MIB;

		errors += wrong(part, 256 << 10, 0);
		memset(part, 1, 256 << 10);
		madvise(part, 256 << 10, MADV_DONTNEED);
	}
	for (int i = 0; i < 60; i++) {
		size_t bytes = (size_t)(1 + i % 7) * 3 * MIB;
		char *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *cleared = calloc(1, bytes);
		char *any = malloc(bytes);

		errors += wrong(block, bytes, 0) + wrong(cleared, bytes, 0);
		memset(block, 2, i % 2 ? bytes : 4096);
		memset(cleared, 3, bytes / 2);
		memset(any, 4, bytes);
		any = realloc(any, bytes + 5 * MIB);
		errors += wrong(any, bytes, 4);
		munmap(block, bytes);
		free(cleared);
		free(any);
		if (i % 20 == 19)
			usleep(600000);
	}
	return errors;
}

int main(int argc, char **argv)
{
	int status;
	pid_t child;

	if (argc == 1) {
		const char *preload = getenv("UNDER_FILTER");

		if (filter()) {
			perror("no filter");
			return 77;
		}
		if (preload)
			setenv("LD_PRELOAD", preload, 1);
		execl("/proc/self/exe", argv[0], "under", (char *)NULL);
		return 127;
	}
	child = fork();
	if (!child)
		_exit(use() != 0);
	if (use() || child < 0 || waitpid(child, &status, 0) != child || status) {
		puts("wrong");
		return 1;
	}
	puts("ok");
	return 0;
}
