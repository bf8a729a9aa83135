/* SPDX-License-Identifier: Apache-2.0 */
/* The walker of redirect_walk.h on handmade functions, and all-or-nothing writing. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "entry/redirect_text.h"
#include "entry/redirect_walk.h"
#include "redirect_hex.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

#define MUNMAP 11

/* ---- one function ------------------------------------------------------------------------------- */

struct function {
	const char *what;
	const char *hex; /* the code; the function begins where `entry` says and has `size` bytes, or all that follow */
	size_t entry, size;
	enum refusal refusal;
	size_t patch;
};

#define NOPS8 "0f1f8400 00000000"

static const struct function stubs[] = {
	{ "a plain stub", "b80b000000 0f05 483d01f0ffff 7301 c3 488b0d66170d00 f7d8 648901 4883c8ff c3", 0, 0,
	  REDIRECT_FINE, 0 },
	{ "one that begins with endbr64",
	  "f30f1efa b80b000000 0f05 483d01f0ffff 7301 c3 488b0d66170d00 f7d8 648901 4883c8ff c3", 0, 0, REDIRECT_FINE,
	  4 },
	{ "one in the middle of code", "c3 cc cc b80b000000 0f05 483d01f0ffff c3 cc", 3, 14, REDIRECT_FINE, 3 },
	{ "just as long as a jump", "b80b000000 0f05 483d01f0ffff c3", 0, 0, REDIRECT_FINE, 0 },
	{ "a byte shorter", "b80b000000 0f05 83f8ff 9090 c3", 0, 0, REDIRECT_TOO_SHORT, 0 },
	{ "long enough, but for endbr64", "f30f1efa b80b000000 0f05 83f8ff 9090 c3", 0, 0, REDIRECT_TOO_SHORT, 0 },
	{ "a truncated symbol", "b80b000000 0f05 483d01f0ffff c3", 0, 13, REDIRECT_TOO_SHORT, 0 },
	{ "a symbol without a size", "b80b000000 0f05 483d01f0ffff c3", 0, SIZE_MAX, REDIRECT_TOO_SHORT, 0 },
	{ "truncated, and longer than a jump", "b80b000000 0f05 483d01f0ffff 85c0 c3", 0, 15, REDIRECT_RUNS_ON, 0 },
	{ "truncated behind a branch", "b80b000000 0f05 483d01f0ffff 7301 c3 c3", 0, 15, REDIRECT_RUNS_ON, 0 },
	{ "truncated behind the call", NOPS8 "90 b80b000000 0f05 c3", 0, 16, REDIRECT_RUNS_ON, 0 },
	{ "longer than the code", "b80b000000 0f05 483d01f0ffff c3", 0, 15, REDIRECT_OUTSIDE, 0 },
	{ "another system call", "b80c000000 0f05 483d01f0ffff c3", 0, 0, REDIRECT_OTHER_CALL, 0 },
	{ "no number", NOPS8 "0f05 90909090 c3", 0, 0, REDIRECT_OTHER_CALL, 0 },
	{ "a number that is overwritten", "b80b000000 89f8 0f05 483d01f0ffff c3", 0, 0, REDIRECT_OTHER_CALL, 0 },
	{ "a number that is changed", "b80b000000 83c001 0f05 483d01f0ffff c3", 0, 0, REDIRECT_OTHER_CALL, 0 },
	{ "a number of more bits", "b80b000100 0f05 483d01f0ffff c3", 0, 0, REDIRECT_OTHER_CALL, 0 },
	{ "its own and another", "b80b000000 0f05 b80c000000 0f05 c3", 0, 0, REDIRECT_OTHER_CALL, 0 },
	{ "its own twice", "b80b000000 0f05 b80b000000 0f05 c3", 0, 0, REDIRECT_FINE, 0 },
	{ "the result is no number", "b80b000000 0f05 0f05 90909090909090 c3", 0, 0, REDIRECT_OTHER_CALL, 0 },
	{ "what a system call changes", "b90b000000 b80b000000 0f05 89c8 0f05 c3", 0, 0, REDIRECT_OTHER_CALL, 0 },
	{ "what it changes, r11", "41bb0b000000 b80b000000 0f05 4489d8 0f05 c3", 0, 0, REDIRECT_OTHER_CALL, 0 },
	{ "what it leaves alone", "bb0b000000 b80b000000 0f05 89d8 0f05 c3", 0, 0, REDIRECT_FINE, 0 },
	{ "a number that was elsewhere", "b90b000000 89c8 0f05 483d01f0ffff c3", 0, 0, REDIRECT_FINE, 0 },
	{ "a number from an unknown place", "b80b000000 89c8 0f05 483d01f0ffff c3", 0, 0, REDIRECT_OTHER_CALL, 0 },
	{ "no system call", "b80b000000 " NOPS8 "c3", 0, 0, REDIRECT_NO_CALL, 0 },
	{ "one that is not reached", "b80b000000 " NOPS8 "c3 0f05 c3", 0, 0, REDIRECT_NO_CALL, 0 },
	{ "one behind a jump", "b80b000000 " NOPS8 "eb01 c3 0f05 c3", 0, 0, REDIRECT_FINE, 0 },
	{ "a branch to another system call", "4885ff 740f b80b000000 0f05 483d01f0ffff c3 cc b80c000000 0f05 c3", 0, 0,
	  REDIRECT_OTHER_CALL, 0 },
	/*
	 * Two ways to one system call: with the same number, with different ones, and with the second way found later.
	 */
	{ "two ways, one number", "b80b000000 4885ff " NOPS8 "7405 b80b000000 0f05 c3", 0, 0, REDIRECT_FINE, 0 },
	{ "two ways, two numbers", "b80b000000 4885ff " NOPS8 "7405 b80c000000 0f05 c3", 0, 0, REDIRECT_OTHER_CALL, 0 },
	{ "two ways, one without a number", "b80b000000 4885ff " NOPS8 "7402 89d0 0f05 c3", 0, 0, REDIRECT_OTHER_CALL,
	  0 },
	{ "back to the call with another number", "b80b000000 4885ff " NOPS8 "0f05 7401 c3 b80c000000 ebf4", 0, 0,
	  REDIRECT_OTHER_CALL, 0 },
	{ "back to the call with the number", "b80b000000 4885ff " NOPS8 "0f05 7401 c3 b80b000000 ebf4", 0, 0,
	  REDIRECT_FINE, 0 },
	/* Jumps to the bytes that are overwritten. */
	{ "a jump to the second byte", "b80b000000 0f05 483d01f0ffff 73f2 c3", 0, 0, REDIRECT_INTO_JUMP, 0 },
	{ "a jump to the last byte", "b80b000000 0f05 85c0 90909090 90 73fd c3", 0, 0, REDIRECT_INTO_JUMP, 0 },
	{ "a jump behind the last byte", "b80b000000 0f05 85c0 90909090 90 90 73fd c3", 0, 0, REDIRECT_FINE, 0 },
	{ "a jump to the entry", "b80b000000 0f05 483d01f0ffff 73f1 c3", 0, 0, REDIRECT_INTO_JUMP, 0 },
	{ "a jump to endbr64", "f30f1efa b80b000000 0f05 483d01f0ffff 73ed c3", 0, 0, REDIRECT_INTO_JUMP, 0 },
	{ "endbr64: a jump to the last byte", "f30f1efa b80b000000 0f05 85c0 90909090 90 73fd c3", 0, 0,
	  REDIRECT_INTO_JUMP, 0 },
	{ "endbr64: a jump behind it", "f30f1efa b80b000000 0f05 85c0 90909090 90 90 73fd c3", 0, 0, REDIRECT_FINE, 4 },
	{ "an unconditional jump there", "b80b000000 0f05 483d01f0ffff ebf2", 0, 0, REDIRECT_INTO_JUMP, 0 },
	{ "one from outside the symbol", "b80b000000 0f05 483d01f0ffff 7301 c3 ebf0", 0, 16, REDIRECT_INTO_JUMP, 0 },
	{ "falling in from outside", "90 b80b000000 0f05 483d01f0ffff 73f1 c3", 1, 0, REDIRECT_INTO_JUMP, 0 },
	/* Out of the symbol. */
	{ "a jump that leaves, and returns", "b80b000000 0f05 483d01f0ffff 7301 c3 f7d8 c3", 0, 16, REDIRECT_FINE, 0 },
	{ "a jump that leaves, and does more", "b80b000000 0f05 483d01f0ffff 7301 c3 b80c000000 0f05 c3", 0, 16,
	  REDIRECT_OTHER_CALL, 0 },
	{ "a jump that leaves, to what is unknown", "b80b000000 0f05 483d01f0ffff 7301 c3 ffe0", 0, 16,
	  REDIRECT_UNKNOWN, 0 },
	{ "a call out there", "b80b000000 0f05 483d01f0ffff 7301 c3 e800000000 c3", 0, 16, REDIRECT_CALLS, 0 },
	{ "a jump out of the code", "b80b000000 0f05 483d01f0ffff 7301 c3", 0, 0, REDIRECT_OUTSIDE, 0 },
	{ "a jump before the code", "b80b000000 0f05 483d01f0ffff 7380 c3", 0, 0, REDIRECT_OUTSIDE, 0 },
	{ "the end of the code", "b80b000000 0f05 483d01f0ffff 7301 c3 f7d8", 0, 16, REDIRECT_OUTSIDE, 0 },
	/* Calls. */
	{ "a call at the end", "b80b000000 0f05 483d01f0ffff 7301 c3 e896c10000", 0, 0, REDIRECT_FINE, 0 },
	{ "a call in the middle", "b80b000000 0f05 e896c10000 483d01f0ffff c3", 0, 0, REDIRECT_CALLS, 0 },
	{ "a call through memory", "b80b000000 0f05 ff1500000000 483d01f0ffff c3", 0, 0, REDIRECT_CALLS, 0 },
	/* What is not known. */
	{ "an unknown instruction", "b80b000000 0f05 c5f877 483d01f0ffff c3", 0, 0, REDIRECT_UNKNOWN, 0 },
	{ "an unknown one, behind a branch", "b80b000000 0f05 483d01f0ffff 7301 c3 c5f877 c3", 0, 0, REDIRECT_UNKNOWN,
	  0 },
	{ "an unknown one that is not reached", "b80b000000 0f05 483d01f0ffff 7303 c3 c5f8 f7d8 c3", 0, 0,
	  REDIRECT_FINE, 0 },
	{ "an indirect jump", "b80b000000 0f05 483d01f0ffff ff2500000000", 0, 0, REDIRECT_UNKNOWN, 0 },
	{ "int 0x80", "b80b000000 cd80 483d01f0ffff c3", 0, 0, REDIRECT_UNKNOWN, 0 },
	/* glibc 2.31's mmap: the number by way of another register, and a way back. */
	{ "glibc 2.31's way to a number",
	  "41f7c1ff0f0000 7527 55 4889fd 53 89cb 4885ff 743b 4189da 4889ef b80b000000 0f05 483d00f0ffff 7766"
	  "5b 5d c3 0f1f00 488b05e98c0d00 64c70016000000 48c7c0ffffffff c3 662e0f1f840000000000 f6c204 74c0"
	  "488b05b48c0d00 f680cd00000002 74b0 4189ca b90b000000 31ff 4183ca40 89c8 0f05 4889c7 483d00f0ffff"
	  "76a8 488b05978c0d00 f7df 648938 eb85 488b15898c0d00 f7d8 648902 48c7c0ffffffff eb85",
	  0, 0, REDIRECT_FINE, 0 },
};

static void check_stubs(void)
{
	for (size_t i = 0; i < sizeof(stubs) / sizeof(*stubs); i++) {
		const struct function *s = &stubs[i];
		unsigned char bytes[256];
		size_t length = from_hex(s->hex, bytes, sizeof(bytes)), patch = 999;
		/* In memory of just this size, where a sanitizer sees the first byte read beyond. */
		unsigned char *code = malloc(length);
		size_t size = s->size == SIZE_MAX ? 0 : s->size ? s->size : length - s->entry;
		enum refusal refusal;

		memcpy(code, bytes, length);
		refusal =
			redirect_walk(&redirect_x86_64, (struct code){ code, length }, s->entry, size, MUNMAP, &patch);
		CHECK(refusal == s->refusal, "%s: it %s, expected: it %s", s->what, refusal_text(refusal),
		      refusal_text(s->refusal));
		CHECK(patch == (refusal ? 999 : s->patch), "%s: patch=%zu", s->what, patch);
		free(code);
	}
}

/* At most 256 different instructions. */
static void check_long(void)
{
	for (size_t nops = 200; nops < 300; nops++) {
		unsigned char code[400] = { 0xb8, MUNMAP, 0, 0, 0, 0x0f, 0x05 };
		size_t patch;
		enum refusal refusal;

		memset(code + 7, 0x90, nops);
		code[7 + nops] = 0xc3;
		refusal = redirect_walk(&redirect_x86_64, (struct code){ code, 8 + nops }, 0, 8 + nops, MUNMAP, &patch);
		CHECK(refusal == (nops + 3 > 256 ? REDIRECT_TOO_LONG : REDIRECT_FINE), "nops=%zu refusal=%s", nops,
		      refusal_text(refusal));
	}
}

static void check_offsets(void)
{
	unsigned char code[] = { 0xb8, MUNMAP, 0, 0, 0, 0x0f, 0x05, 0x48, 0x3d, 1, 0xf0, 0xff, 0xff, 0xc3 };
	size_t patch;

	CHECK(redirect_walk(&redirect_x86_64, (struct code){ code, 14 }, 15, 14, MUNMAP, &patch) == REDIRECT_OUTSIDE,
	      "offset=15");
	CHECK(redirect_walk(&redirect_x86_64, (struct code){ code, 14 }, SIZE_MAX, 14, MUNMAP, &patch) ==
		      REDIRECT_OUTSIDE,
	      "offset=-1");
	CHECK(redirect_walk(&redirect_x86_64, (struct code){ code, 14 }, 0, SIZE_MAX, MUNMAP, &patch) ==
		      REDIRECT_OUTSIDE,
	      "size=-1");
	CHECK(redirect_walk(&redirect_x86_64, (struct code){ code, 14 }, 0, 14, MUNMAP + 1, &patch) ==
		      REDIRECT_OTHER_CALL,
	      "number=12");
}

/*
 * glibc's munmap on aarch64, as it is, short of its last four bytes, with another number, and with a branch to its
 * first bytes.
 */
static void check_aarch64(void)
{
	static const char good[] = "e81a80d2 010000d4 1ffc3fb1 42000054 c0035fd6 1f2003d5 c0035fd6";
	unsigned char code[64];
	size_t length = from_hex(good, code, sizeof(code)), patch = 999;
	const struct redirect_machine *m = &redirect_aarch64;

	CHECK(!redirect_walk(m, (struct code){ code, length }, 0, length, 215, &patch) && patch == 0, "patch=%zu",
	      patch);
	CHECK(redirect_walk(m, (struct code){ code, length }, 0, 16, 215, &patch) == REDIRECT_TOO_SHORT, "size=16");
	CHECK(redirect_walk(m, (struct code){ code, length }, 0, 20, 215, &patch) == REDIRECT_FINE, "size=20");
	CHECK(redirect_walk(m, (struct code){ code, length }, 0, length, 216, &patch) == REDIRECT_OTHER_CALL,
	      "number=216");
	from_hex("e2ffff54", code + 12, 4);
	CHECK(redirect_walk(m, (struct code){ code, length }, 0, length, 215, &patch) == REDIRECT_INTO_JUMP,
	      "a branch back");
	from_hex("5f2403d5 e81a80d2 010000d4 1ffc3fb1 42000054 c0035fd6 c0035fd6", code, sizeof(code));
	CHECK(!redirect_walk(m, (struct code){ code, length }, 0, length, 215, &patch) && patch == 0,
	      "bti c: patch=%zu", patch);
}

static void check_numbers(void)
{
	static const struct {
		const char *name;
		int x86_64, aarch64;
	} known[] = {
		{ "mmap", 9, 222 },       { "mprotect", 10, 226 }, { "munmap", 11, 215 }, { "brk", 12, 214 },
		{ "mremap", 25, 216 },    { "madvise", 28, 233 },  { "execve", 59, 221 }, { "mlock", 149, 228 },
		{ "mlockall", 151, 230 }, { "open", -1, -1 },      { "mmap64", -1, -1 },  { "", -1, -1 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		int x = redirect_number(&redirect_x86_64, known[i].name),
		    a = redirect_number(&redirect_aarch64, known[i].name);

		CHECK(x == known[i].x86_64 && a == known[i].aarch64, "name=%s x86_64=%d aarch64=%d", known[i].name, x,
		      a);
	}
#ifdef __x86_64__
	CHECK(redirect_number(&redirect_x86_64, "mremap") == SYS_mremap &&
		      redirect_number(&redirect_x86_64, "mlockall") == SYS_mlockall,
	      "here");
#endif
}

/* ---- writing ------------------------------------------------------------------------------------ */

static void check_jumps(void)
{
	unsigned char x[14], a[20], expected[20];

	redirect_x86_64.write_jump(x, 0x1122334455667788);
	from_hex("ff2500000000 8877665544332211", expected, sizeof(expected));
	CHECK(redirect_x86_64.jump_bytes == 14 && !memcmp(x, expected, 14), "x86-64");
	redirect_aarch64.write_jump(a, 0x1122334455667788);
	from_hex("5f2403d5 50000058 00021fd6 8877665544332211", expected, sizeof(expected));
	CHECK(redirect_aarch64.jump_bytes == 20 && !memcmp(a, expected, 20), "aarch64");
}

#define PATCHES 5

/* What the writer does from the write of this number on, or in that one alone. */
static enum { FAILS_ONCE, LIES_ONCE, FAILS_ON } how;
static int fails_at, writes;

static bool failing(unsigned char *at, const unsigned char *bytes, size_t length, long context)
{
	int n = writes++;

	CHECK(context == 42, "context=%ld", context);
	if (n == fails_at && how == LIES_ONCE)
		return true;
	if (n == fails_at || (n > fails_at && how == FAILS_ON)) {
		memcpy(at, bytes, n == fails_at ? length / 2 : 0);
		return false;
	}
	memcpy(at, bytes, length);
	return true;
}

static void check_all_or_nothing(void)
{
	unsigned char text[PATCHES * 32], before[PATCHES * 32];
	struct patch patches[PATCHES];

	for (size_t i = 0; i < sizeof(text); i++)
		before[i] = (unsigned char)(i * 7);
	for (how = FAILS_ONCE; how <= FAILS_ON; how++)
		for (fails_at = 0; fails_at <= PATCHES; fails_at++) {
			bool all = fails_at == PATCHES;

			memcpy(text, before, sizeof(text));
			for (size_t i = 0; i < PATCHES; i++) {
				patches[i] = (struct patch){ .at = text + 32 * i + 1, .length = 14 };
				memset(patches[i].bytes, 0xee, 14);
			}
			writes = 0;
			CHECK(text_write_all(patches, PATCHES, failing, 42) == all, "how=%d fails_at=%d", how,
			      fails_at);
			for (int i = 0; i < PATCHES; i++) {
				/* What could not be undone is said to be written, and is. */
				bool stays = all || (how == FAILS_ON && i < fails_at);
				const unsigned char *at = text + 32 * i, *was = before + 32 * i;

				CHECK(patches[i].written == stays, "how=%d fails_at=%d i=%d", how, fails_at, i);
				CHECK((how == FAILS_ON && i == fails_at) ||
					      !memcmp(at + 1, stays ? patches[i].bytes : was + 1, 14),
				      "how=%d fails_at=%d i=%d", how, fails_at, i);
				CHECK(at[0] == was[0] && at[15] == was[15], "how=%d fails_at=%d i=%d", how, fails_at,
				      i);
			}
		}
}

typedef int number(void);

/* A page of code between two others: two functions that return 1 and 2, one across the page's end. */
static unsigned char *code_pages(size_t page)
{
	static const unsigned char one[] = { 0xb8, 1, 0, 0, 0, 0xc3 }, two[] = { 0xb8, 2, 0, 0, 0, 0xc3 };
	unsigned char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED, "page=%zu", page);
	memcpy(p + page, one, sizeof(one));
	memcpy(p + 2 * page - 3, two, sizeof(two));
	CHECK(!mprotect(p, 3 * page, PROT_READ | PROT_EXEC), "page=%zu", page);
	return p;
}

static void check_way(bool way(struct patch *, size_t), bool can)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *p = code_pages(page);
	struct patch patches[] = {
		{ .at = p + page, .length = 6, .bytes = { 0xb8, 3, 0, 0, 0, 0xc3 } },
		/* Side by side, and the second alone reaches into the next page. */
		{ .at = p + 2 * page - 9, .length = 6, .bytes = { 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc } },
		{ .at = p + 2 * page - 3, .length = 6, .bytes = { 0xb8, 4, 0, 0, 0, 0xc3 } },
	};

	CHECK(way(patches, 3) == can, "can=%d", can);
	CHECK(patches[0].written == can && patches[1].written == can && patches[2].written == can, "can=%d", can);
	CHECK(p[page + 1] == (can ? 3 : 1) && p[2 * page - 2] == (can ? 4 : 2), "can=%d", can);
#ifdef __x86_64__
	CHECK(((number *)(p + page))() == (can ? 3 : 1) && ((number *)(p + 2 * page - 3))() == (can ? 4 : 2), "can=%d",
	      can);
#endif
	/* Not left writable. */
	{
		int pipes[2];

		CHECK(!pipe(pipes) && write(pipes[1], "x", 1) == 1, "pipe");
		CHECK(read(pipes[0], p + page, 1) == -1 && read(pipes[0], p + 2 * page, 1) == -1, "can be written to");
		close(pipes[0]);
		close(pipes[1]);
	}
	munmap(p, 3 * page);
}

static int no_exec_gain(unsigned char *code, size_t bytes)
{
	(void)code;
	(void)bytes;
	return prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
}

static int sealed(unsigned char *code, size_t bytes)
{
	return (int)syscall(SYS_mseal, code, bytes, 0);
}

/* In a child whose code may not be made writable: there only /proc/self/mem writes. */
static void check_locked(const char *what, int (*lock)(unsigned char *code, size_t bytes))
{
	pid_t child = fork();
	int status;

	if (!child) {
		size_t page = (size_t)sysconf(_SC_PAGESIZE);
		unsigned char *p = code_pages(page);
		struct patch patch = { .at = p + page, .length = 6, .bytes = { 0xb8, 3, 0, 0, 0, 0xc3 } };

		if (lock(p, 3 * page))
			_exit(EXIT_SKIPPED);
		CHECK(!text_write_mapped(&patch, 1) && p[page + 1] == 1, "%s: mprotect() should be refused", what);
		CHECK(text_write(&patch, 1) && patch.written && p[page + 1] == 3, "%s: byte=%d", what, p[page + 1]);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "%s: status=%#x", what, status);
	if (WEXITSTATUS(status) == EXIT_SKIPPED)
		printf("left out: %s, which this kernel does not have\n", what);
	else
		CHECK(!WEXITSTATUS(status), "%s: status=%d", what, WEXITSTATUS(status));
}

/*
 * redirect_test under-mdwe PROGRAM...: runs a program that may not make code writable; 77 if the kernel cannot forbid
 * it.
 */
int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "under-mdwe")) {
		if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0))
			return EXIT_SKIPPED;
		execv(argv[2], argv + 2);
		return EXIT_FAILURE;
	}
	check_stubs();
	check_long();
	check_offsets();
	check_aarch64();
	check_numbers();
	check_jumps();
	check_all_or_nothing();
	check_way(text_write_mapped, true);
	check_way(text_write_through_file, true);
	check_way(text_write, true);
	check_locked("PR_SET_MDWE", no_exec_gain);
	check_locked("mseal()", sealed);
	return 0;
}
