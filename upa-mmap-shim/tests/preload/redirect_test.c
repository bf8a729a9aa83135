/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walker of redirect_walk.h on handmade functions, its decoders instruction by instruction, and all-or-nothing
 * writing.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "entry/redirect_text.h"
#include "entry/redirect_walk.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

#define MUNMAP 11
#define NONE NO_REGISTER

static size_t from_hex(const char *text, unsigned char *bytes, size_t room)
{
	size_t n = 0;

	for (; *text; text++) {
		unsigned value;

		if (*text == ' ')
			continue;
		CHECK(n < room && sscanf(text, "%2x", &value) == 1, "text=%s", text);
		bytes[n++] = (unsigned char)value;
		text++;
	}
	return n;
}

/* ---- one instruction ---------------------------------------------------------------------------- */

struct decoding {
	const char *hex;
	enum flow flow;  /* FLOW_UNKNOWN: refused; the rest then does not count */
	unsigned length; /* 0: all of the bytes */
	int64_t target;
	uint32_t writes;
	unsigned char set, copy;
	uint32_t value;
};

/* clang-format off */
#define PLAIN(hex, mask) { hex, FLOW_NEXT, 0, 0, mask, NONE, NONE, 0 }
#define SETS(hex, mask, reg, number) { hex, FLOW_NEXT, 0, 0, mask, reg, NONE, number }
#define COPIES(hex, mask, reg, from) { hex, FLOW_NEXT, 0, 0, mask, reg, from, 0 }
#define GOES(hex, flow, distance) { hex, flow, 0, distance, 0, NONE, NONE, 0 }
#define REFUSED(hex) { hex, FLOW_UNKNOWN, 0, 0, 0, NONE, NONE, 0 }
/* clang-format on */
#define R(n) (1u << (n))

static const struct decoding x86_64[] = {
	/* Constants, by every way in which one gets into a register. */
	SETS("b8 09000000", R(0), 0, 9),
	SETS("bd 0b000000", R(5), 5, 11),
	SETS("41 bc 0b000000", R(12), 12, 11),
	PLAIN("48 b8 0102030405060708", R(0)),
	PLAIN("66 b8 0900", R(0)),
	SETS("48 c7 c0 09000000", R(0), 0, 9),
	SETS("c7 c1 09000000", R(1), 1, 9),
	SETS("49 c7 c4 09000000", R(12), 12, 9),
	SETS("48 c7 c0 ffffffff", R(0), 0, 0xffffffff),
	SETS("31 c0", R(0), 0, 0),
	SETS("33 c0", R(0), 0, 0),
	SETS("45 31 c0", R(8), 8, 0),
	SETS("48 31 d2", R(2), 2, 0),
	PLAIN("31 c8", R(0)),
	PLAIN("41 31 c0", R(8)),
	PLAIN("44 31 c0", R(0)),
	PLAIN("30 c0", R(0)),
	PLAIN("66 31 c0", R(0)),
	COPIES("89 c8", R(0), 0, 1),
	COPIES("8b c1", R(0), 0, 1),
	COPIES("41 89 ca", R(10), 10, 1),
	COPIES("44 89 d0", R(0), 0, 10),
	COPIES("4c 8b d1", R(10), 10, 1),
	COPIES("48 89 fb", R(3), 3, 7),
	PLAIN("66 89 c8", R(0)),
	/* Memory as the source or the target: every form of the address. */
	PLAIN("48 8b 05 11223344", R(0)),
	PLAIN("4c 8b 35 11223344", R(14)),
	PLAIN("64 48 8b 04 25 28000000", R(0)),
	PLAIN("48 8b 44 24 18", R(0)),
	PLAIN("48 8b 84 24 18000000", R(0)),
	PLAIN("48 8b 04 24", R(0)),
	PLAIN("49 8b 04 24", R(0)),
	PLAIN("48 8b 45 f0", R(0)),
	PLAIN("48 8b 85 f0000000", R(0)),
	PLAIN("48 8b 02", R(0)),
	PLAIN("4c 89 44 24 40", 0),
	PLAIN("48 89 02", 0),
	PLAIN("64 89 02", 0),
	PLAIN("64 c7 00 16000000", 0),
	PLAIN("c7 04 24 20000000", 0),
	PLAIN("c7 45 b0 20000000", 0),
	PLAIN("66 c7 00 1600", 0),
	PLAIN("c6 45 b0 20", 0),
	PLAIN("c6 c0 20", R(0)),
	PLAIN("c6 c4 20", R(0)),
	PLAIN("40 c6 c4 20", R(4)),
	PLAIN("88 c8", R(0)),
	PLAIN("88 cc", R(0)),
	PLAIN("40 88 cc", R(4)),
	PLAIN("8a c1", R(0)),
	PLAIN("8a e1", R(0)),
	PLAIN("48 8d 44 24 60", R(0)),
	PLAIN("4c 8d 05 11223344", R(8)),
	PLAIN("48 63 c7", R(0)),
	/* Arithmetic: what compares writes nothing. */
	PLAIN("48 3d 01f0ffff", 0),
	PLAIN("3c 05", 0),
	PLAIN("04 05", R(0)),
	PLAIN("66 05 0500", R(0)),
	PLAIN("48 05 05000000", R(0)),
	PLAIN("48 39 f8", 0),
	PLAIN("48 3b 07", 0),
	PLAIN("38 c8", 0),
	PLAIN("01 c8", R(0)),
	PLAIN("03 c8", R(1)),
	PLAIN("09 c8", R(0)),
	PLAIN("00 c4", R(0)),
	PLAIN("02 e1", R(0)),
	PLAIN("64 48 2b 14 25 28000000", R(2)),
	PLAIN("48 83 ec 58", R(4)),
	PLAIN("48 83 c8 ff", R(0)),
	PLAIN("83 f9 07", 0),
	PLAIN("83 f8 07", 0),
	PLAIN("81 e1 00080000", R(1)),
	PLAIN("66 81 e1 0008", R(1)),
	PLAIN("66 48 81 e1 00080000", R(1)),
	PLAIN("81 f8 00080000", 0),
	PLAIN("80 e1 08", R(1)),
	PLAIN("80 e4 08", R(0)),
	PLAIN("41 83 ca 40", R(10)),
	PLAIN("85 c0", 0),
	PLAIN("48 85 ff", 0),
	PLAIN("84 c0", 0),
	PLAIN("a8 01", 0),
	PLAIN("a9 01000000", 0),
	PLAIN("66 a9 0100", 0),
	PLAIN("f6 c1 06", 0),
	PLAIN("f6 80 cd000000 02", 0),
	PLAIN("41 f7 c1 ff0f0000", 0),
	PLAIN("66 f7 c1 ff0f", 0),
	PLAIN("f7 d8", R(0)),
	PLAIN("f7 d0", R(0)),
	PLAIN("f7 df", R(7)),
	PLAIN("f6 dc", R(0)),
	PLAIN("c1 e0 04", R(0)),
	PLAIN("41 c1 e8 04", R(8)),
	PLAIN("c0 e4 04", R(0)),
	PLAIN("48 98", R(0)),
	PLAIN("0f 44 c1", R(0)),
	PLAIN("44 0f 4f c1", R(8)),
	PLAIN("0f b6 c1", R(0)),
	PLAIN("0f bf c1", R(0)),
	PLAIN("0f 94 c0", R(0)),
	PLAIN("0f 94 c4", R(0)),
	PLAIN("41 0f 94 c0", R(8)),
	PLAIN("55", R(4)),
	PLAIN("41 54", R(4)),
	PLAIN("58", R(0) | R(4)),
	PLAIN("41 5c", R(12) | R(4)),
	PLAIN("c9", R(5) | R(4)),
	/* Nothing at all. */
	PLAIN("90", 0),
	PLAIN("f3 0f 1e fa", 0),
	PLAIN("0f 1f 00", 0),
	PLAIN("66 2e 0f 1f 84 00 00000000", 0),
	PLAIN("66 66 2e 0f 1f 84 00 00000000", 0),
	/* Flow. */
	GOES("73 01", FLOW_BRANCH, 3),
	GOES("70 fe", FLOW_BRANCH, 0),
	GOES("7f 80", FLOW_BRANCH, -126),
	GOES("0f 87 66000000", FLOW_BRANCH, 0x6c),
	GOES("0f 80 faffffff", FLOW_BRANCH, 0),
	GOES("0f 8f f0ffffff", FLOW_BRANCH, -10),
	GOES("eb 85", FLOW_JUMP, -121),
	GOES("e9 7affffff", FLOW_JUMP, -0x81),
	GOES("e8 96c10000", FLOW_CALL, 0xc19b),
	GOES("ff 15 00000000", FLOW_CALL, 0),
	GOES("ff d0", FLOW_CALL, 0),
	GOES("0f 05", FLOW_SYSTEM_CALL, 0),
	GOES("c3", FLOW_END, 0),
	GOES("cc", FLOW_END, 0),
	GOES("f4", FLOW_END, 0),
	GOES("0f 0b", FLOW_END, 0),
	/* What such a stub has no use for. */
	REFUSED("ff 25 00000000"),
	REFUSED("ff e0"),
	REFUSED("ff 30"),
	REFUSED("c2 0800"),
	REFUSED("0f 34"),
	REFUSED("cd 80"),
	REFUSED("e3 01"),
	REFUSED("c5 f8 77"),
	REFUSED("62 f1 7c 48 28 00"),
	REFUSED("f3 c3"),
	REFUSED("f3 90"),
	REFUSED("f3 0f 1e fb"),
	REFUSED("f3 0f 1f c0"),
	REFUSED("f2 e9 00000000"),
	REFUSED("f0 01 02"),
	REFUSED("67 8b 00"),
	REFUSED("65 8b 00"),
	REFUSED("87 c8"),
	REFUSED("41 90"),
	REFUSED("06"),
	REFUSED("26 90"),
	REFUSED("82 c0 01"),
	REFUSED("c7 f8 00000000"),
	REFUSED("c6 f8 00"),
	REFUSED("f7 e0"),
	REFUSED("8d c0"),
	REFUSED("0f a2"),
	REFUSED("0f 10 00"),
	REFUSED("66 0f 84 0000"),
	REFUSED("66 eb 05"),
	REFUSED("48 66 89 c8"),
	/* Longer than an instruction may be. */
	REFUSED("66 66 66 66 66 66 66 66 66 66 66 66 66 66 89 c8"),
};

static const struct decoding aarch64[] = {
	SETS("681b80d2", R(8), 8, 219),    /* mov x8, #219 */
	SETS("08 1b 80 52", R(8), 8, 216), /* mov w8, #216 */
	SETS("03 00 80 d2", R(3), 3, 0),
	PLAIN("08 1b a0 d2", R(8)),        /* movz x8, #216, lsl 16 */
	PLAIN("08 1b 80 f2", R(8)),        /* movk */
	PLAIN("e8 ff 9f 92", R(8)),        /* movn */
	COPIES("e8 03 03 aa", R(8), 8, 3), /* mov x8, x3 */
	COPIES("e8 03 03 2a", R(8), 8, 3),
	PLAIN("e8 03 1f aa", R(8)),                  /* mov x8, xzr */
	PLAIN("08 01 03 aa", R(8)),                  /* orr x8, x8, x3 */
	PLAIN("1f fc 3f b1", 0),                     /* cmn x0, #0xfff */
	PLAIN("22 05 00 b0", R(2)),                  /* adrp x2 */
	PLAIN("42 34 47 f9", R(2) | R(13) | R(7)),   /* ldr x2, [x2, #3688] */
	PLAIN("40 00 00 f9", R(0) | R(2)),           /* str x0, [x2] */
	PLAIN("fd 7b 03 a9", R(29) | R(30) | R(3)),  /* stp x29, x30, [sp, #48] */
	PLAIN("08 85 40 f8", R(8) | R(1) | R(0)),    /* ldr x8, [x8], #8 */
	PLAIN("42 d0 3b d5", R(2)),                  /* mrs x2, tpidr_el0 */
	PLAIN("5f 24 03 d5", R(16) | R(17) | R(30)), /* bti c */
	PLAIN("3f 23 03 d5", R(16) | R(17) | R(30)), /* paciasp */
	GOES("01 00 00 d4", FLOW_SYSTEM_CALL, 0),
	GOES("42 00 00 54", FLOW_BRANCH, 8), /* b.cs */
	GOES("e2 ff ff 54", FLOW_BRANCH, -4),
	GOES("60 00 00 b4", FLOW_BRANCH, 12), /* cbz */
	GOES("e0 ff ff 35", FLOW_BRANCH, -4), /* cbnz w0 */
	GOES("60 00 00 36", FLOW_BRANCH, 12), /* tbz */
	GOES("e0 ff 07 b7", FLOW_BRANCH, -4), /* tbnz x0, #32 */
	GOES("e8 ff ff 17", FLOW_JUMP, -96),
	GOES("02 00 00 14", FLOW_JUMP, 8),
	{ "b2 32 00 94", FLOW_CALL, 0, 0, R(30), NONE, NONE, 0 },
	{ "00 00 3f d6", FLOW_CALL, 0, 0, R(30), NONE, NONE, 0 }, /* blr x0 */
	GOES("c0 03 5f d6", FLOW_END, 0),
	GOES("ff 0b 5f d6", FLOW_END, 0), /* retaa */
	GOES("00 00 20 d4", FLOW_END, 0), /* brk */
	REFUSED("00 02 1f d6"),           /* br x16 */
	REFUSED("20 00 5f d6"),           /* ret x1 */
	REFUSED("21 00 00 d4"),           /* svc #1 */
	REFUSED("02 00 00 d4"),           /* hvc */
	REFUSED("00 00 00 00"),           /* udf */
	REFUSED("10 00 00 54"),           /* bc.cond */
	REFUSED("00 40 20 04"),           /* sve */
	REFUSED("00 00 66 9e"),           /* fmov x0, d0 */
	REFUSED("21 00 1b d5"),           /* msr */
};

static void check_decodings(const struct redirect_machine *machine, const struct decoding *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct decoding *d = &list[i];
		unsigned char bytes[32];
		size_t length = from_hex(d->hex, bytes, sizeof(bytes));
		struct instruction is = machine->decode(bytes, length);

		CHECK(is.flow == d->flow, "hex=%s flow=%d expected=%d", d->hex, is.flow, d->flow);
		if (d->flow == FLOW_UNKNOWN)
			continue;
		CHECK(is.length == length, "hex=%s length=%u", d->hex, is.length);
		CHECK((is.flow != FLOW_BRANCH && is.flow != FLOW_JUMP) || is.target == d->target,
		      "hex=%s target=%" PRId64, d->hex, is.target);
		CHECK(is.writes == d->writes, "hex=%s writes=%#x expected=%#x", d->hex, is.writes, d->writes);
		CHECK(is.set == d->set && is.copy == d->copy && is.value == d->value, "hex=%s set=%d copy=%d value=%u",
		      d->hex, is.set, is.copy, is.value);
		/* With a byte less, there is no such instruction, and none of the bytes behind is looked at. */
		for (size_t room = 0; room < length; room++) {
			unsigned char *copy = malloc(room + !room);

			memcpy(copy, bytes, room);
			CHECK(machine->decode(copy, room).flow == FLOW_UNKNOWN, "hex=%s room=%zu", d->hex, room);
			free(copy);
		}
	}
}

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
	check_decodings(&redirect_x86_64, x86_64, sizeof(x86_64) / sizeof(*x86_64));
	check_decodings(&redirect_aarch64, aarch64, sizeof(aarch64) / sizeof(*aarch64));
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
