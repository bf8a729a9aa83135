/* SPDX-License-Identifier: Apache-2.0 */
/* The decoders of redirect_walk.h, instruction by instruction. */
#include <string.h>

#include "entry/redirect_walk.h"
#include "redirect_hex.h"

#define NONE NO_REGISTER

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

int main(void)
{
	check_decodings(&redirect_x86_64, x86_64, sizeof(x86_64) / sizeof(*x86_64));
	check_decodings(&redirect_aarch64, aarch64, sizeof(aarch64) / sizeof(*aarch64));
	return 0;
}
