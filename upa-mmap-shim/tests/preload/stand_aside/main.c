/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a program that does something for which UPA stands aside (preload/stand_aside.h).
 *
 *   stand_aside calls    what calls do afterwards on addresses that were in use, had been freed, or are new: lines
 *                        that must be the same with and without the preloaded library
 *   stand_aside race     the same reasons while threads ask for memory: each must have its own, with its contents
 *   stand_aside requests after which requests of ioctl() the region does not do what it should: "NAME serves" or "NAME
 *                        ends it", a line each; an error where it serves nothing from the start
 *   stand_aside REASON   what still runs as UPA has it once REASON has come, if UPA is there, in one line: region,
 *                        heap, purging, huge, files; "none" is no reason. stand_aside_test.sh knows the table
 */
#define _GNU_SOURCE
#include "preload/stand_aside/reasons.h"

/* ---- what still runs ---------------------------------------------------------------------------- */

/* What it serves can be read after munmap(). */
static bool region_serves(void)
{
	char *block = map(MIB);

	block[0] = 1;
	CHECK(!munmap(block, MIB));
	return readable(block);
}

static bool heap_keeps_once(void)
{
	char *start = sbrk((intptr_t)MIB);
	bool kept;

	CHECK(start != (void *)-1);
	memset(start, 1, MIB);
	CHECK(sbrk(-(intptr_t)MIB) != (void *)-1);
	kept = (char *)bare(SYS_brk, 0, 0, 0, 0, 0, 0) > (char *)sbrk(0);
	return kept;
}

/* What is kept, and what is purged in place, goes by the clock too: on a busy machine once is not enough. */
#define TRIES 20

static bool heap_keeps(void)
{
	for (int i = 0; i < TRIES; i++)
		if (heap_keeps_once())
			return true;
	return false;
}

static bool resident(char *page)
{
	unsigned char is;

	CHECK(!mincore(page, PAGE, &is));
	return is & 1;
}

/*
 * What is purged over and over is cleared where it is. The block has been served by the region, or is the kernel's.
 */
static bool purges_in_place(char *block)
{
	for (int i = 0; i < 4 * TRIES; i++) {
		memset(block, 1, MIB);
		if (madvise(block, MIB, MADV_DONTNEED))
			return false; /* locked */
		if (i >= 3 && resident(block))
			return true;
	}
	return false;
}

static bool advised_huge(const char *address)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	bool here = false, huge = false;
	char line[512];

	CHECK(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (unsigned long)address >= from && (unsigned long)address < to;
		else if (here && !strncmp(line, "VmFlags:", 8))
			huge = strstr(line, " hg");
	}
	fclose(maps);
	return huge;
}

/* What is purged as a whole, touched again, and not within a second. */
static bool makes_huge(char *unit)
{
	for (int i = 0; i < 2; i++) {
		usleep(i * 1100000);
		memset(unit, 1, 2 * MIB);
		if (madvise(unit, 2 * MIB, MADV_DONTNEED))
			return false;
	}
	return advised_huge(unit);
}

static volatile sig_atomic_t opened;

static void on_open(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	(void)signal;
	(void)info;
	opened = 1;
#ifdef __x86_64__
	at->uc_mcontext.gregs[REG_RAX] = -ENOENT;
#else
	at->uc_mcontext.regs[0] = (unsigned long)-ENOENT;
#endif
}

/* From here on no file can be opened, and who tries is seen. By bare system calls, which UPA does not see. */
static void watch_files(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };
	struct sigaction action = { .sa_sigaction = on_open, .sa_flags = SA_SIGINFO };

	CHECK(!sigaction(SIGSYS, &action, NULL));
	CHECK(!bare(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0));
	CHECK(!bare(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&program, 0, 0, 0));
}

/* How much is resident is asked for while memory comes and goes. */
static bool reads_files(void)
{
	watch_files();
	for (int i = 0; i < 20 && !opened; i++) {
		char *block = map(8 * MIB);

		memset(block, 1, 8 * MIB);
		madvise(block, 8 * MIB, MADV_DONTNEED);
		CHECK(!munmap(block, 8 * MIB));
		heap_keeps();
		usleep(20000);
	}
	return opened;
}

static int effects(const char *name)
{
	char *purged, *unit;

	/* So much is in use that the region may keep something. */
	memset(map(8 * MIB), 1, 8 * MIB);
	purged = map(MIB);
	unit = map(8 * MIB);
	unit = (char *)(((unsigned long)unit + 2 * MIB - 1) & ~(2 * MIB - 1));
	for (size_t i = 0; i < reason_count; i++) {
		if (strcmp(reasons[i].name, name))
			continue;
		reasons[i].run();
		printf("%s", region_serves() ? " region" : "");
		printf("%s", heap_keeps() ? " heap" : "");
		printf("%s", purges_in_place(purged) ? " purging" : "");
		printf("%s", makes_huge(unit) ? " huge" : "");
		/* More records than a trace has room for before it grows, but not before it grows again. */
		for (int k = 0; k < 6000; k++)
			CHECK(!munmap(map(PAGE), PAGE));
		printf("%s\n", reads_files() ? " files" : "");
		return 0;
	}
	fprintf(stderr, "stand_aside: no reason=%s\n", name);
	return 2;
}

/* Does the region serve once this has been asked for? */
static bool serves_after(const struct request *r)
{
	unsigned words[64] = { 0 };
	int status;
	pid_t child;

	memcpy(words, r->words, sizeof(r->words));
	child = fork();
	if (!child) {
		/* The kernel says so if there is nothing to read. */
		CHECK(r->hands_over || ioctl(-1, r->number, NULL) == -1);
		CHECK(ioctl(-1, r->number, words) == -1);
		_exit(region_serves() ? 2 : 3);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) >= 2);
	return WEXITSTATUS(status) == 2;
}

static int after_requests(void)
{
	memset(map(8 * MIB), 1, 8 * MIB);
	CHECK(region_serves());
	for (size_t i = 0; i < request_count; i++)
		if (serves_after(&requests[i]) == requests[i].hands_over)
			printf("%s %s\n", requests[i].name, requests[i].hands_over ? "serves" : "ends it");
	return 0;
}

#ifdef SANITIZED
/* As if the program ran under AddressSanitizer. */
__attribute__((visibility("default"))) void __asan_init(void);
void __asan_init(void)
{
}
#endif

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "race"))
		return race();
	if (argc == 2 && !strcmp(argv[1], "requests"))
		return after_requests();
	if (argc != 2) {
		fputs("usage: stand_aside calls | race | requests | REASON\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	return strcmp(argv[1], "calls") ? effects(argv[1]) : calls();
}
