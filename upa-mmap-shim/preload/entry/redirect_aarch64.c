/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aarch64 instructions: each has four bytes, so only those that change the flow, or may change a register that holds a
 * system call's number, need to be told apart. Encodings: Arm Architecture Reference Manual, C4.1.
 */
#include "entry/redirect_walk.h"

#include <string.h>

#define X8 8
#define LINK 30

/* An offset of `bits` bits at bit `shift`, in instructions; in bytes. */
static int64_t offset(uint32_t word, unsigned shift, unsigned bits)
{
	return ((int64_t)(int32_t)(word << (32 - shift - bits)) >> (32 - bits)) * 4;
}

static uint32_t bit(uint32_t r)
{
	return r < 31 ? 1u << r : 0; /* 31 is the stack pointer, or zero */
}

static void branches_and_system(struct instruction *i, uint32_t word)
{
	if ((word & 0xfc000000) == 0x14000000) { /* b */
		i->flow = FLOW_JUMP;
		i->target = offset(word, 0, 26);
	} else if ((word & 0xfc000000) == 0x94000000) { /* bl */
		i->flow = FLOW_CALL;
		i->writes = bit(LINK);
	} else if ((word & 0xff000010) == 0x54000000 || (word & 0x7e000000) == 0x34000000) { /* b.cond; cbz, cbnz */
		i->flow = FLOW_BRANCH;
		i->target = offset(word, 5, 19);
	} else if ((word & 0x7e000000) == 0x36000000) { /* tbz, tbnz */
		i->flow = FLOW_BRANCH;
		i->target = offset(word, 5, 14);
	} else if (word == 0xd4000001) { /* svc #0 */
		i->flow = FLOW_SYSTEM_CALL;
	} else if ((word & 0xffe0001f) == 0xd4200000) { /* brk */
		i->flow = FLOW_END;
	} else if (word == 0xd65f03c0 || word == 0xd65f0bff || word == 0xd65f0fff) { /* ret, retaa, retab */
		i->flow = FLOW_END;
	} else if ((word & 0xfffffc1f) == 0xd63f0000) { /* blr */
		i->flow = FLOW_CALL;
		i->writes = bit(LINK);
	} else if ((word & 0xfffff01f) ==
		   0xd503201f) { /* hints: nop, bti, and pointer authentication of x16, x17, x30 */
		i->flow = FLOW_NEXT;
		i->writes = bit(16) | bit(17) | bit(LINK);
	} else if ((word & 0xfff00000) == 0xd5300000) { /* mrs */
		i->flow = FLOW_NEXT;
		i->writes = bit(word & 31);
	}
}

static struct instruction decode(const unsigned char *at, size_t room)
{
	struct instruction i = { .set = NO_REGISTER, .copy = NO_REGISTER, .length = 4 };
	uint32_t word, first, second, base;

	if (room < 4)
		return i;
	memcpy(&word, at, 4);
	first = word & 31;
	base = word >> 5 & 31;
	second = word >> 10 & 31;
	switch (word >> 25 & 15) {
	case 8:
	case 9: /* with an immediate */
		i.flow = FLOW_NEXT;
		i.writes = bit(first);
		if ((word & 0x7fe00000) == 0x52800000 && first < 31) { /* movz without a shift */
			i.set = (unsigned char)first;
			i.value = word >> 5 & 0xffff;
		}
		break;
	case 10:
	case 11: branches_and_system(&i, word); break;
	case 5:
	case 13: /* registers */
		i.flow = FLOW_NEXT;
		i.writes = bit(first);
		if ((word & 0x7fe0ffe0) == 0x2a0003e0 && first < 31 && (word >> 16 & 31) < 31) { /* mov */
			i.set = (unsigned char)first;
			i.copy = word >> 16 & 31;
		}
		break;
	case 4:
	case 6:
	case 12:
	case 14: /* loads and stores: whichever register they might write, the base too */
		i.flow = FLOW_NEXT;
		i.writes = bit(first) | bit(base) | bit(second) | bit(word >> 16 & 31);
		break;
	}
	return i;
}

static bool is_landing(const unsigned char *at)
{
	(void)at;
	return false;
}

/* bti c; ldr x16, 8 bytes on; br x16; and the address. Written over a landing instruction, since it is one. */
static void write_jump(unsigned char *at, uint64_t to)
{
	static const uint32_t jump[] = { 0xd503245f, 0x58000050, 0xd61f0200 };

	memcpy(at, jump, sizeof(jump));
	memcpy(at + sizeof(jump), &to, sizeof(to));
}

/* include/uapi/asm-generic/unistd.h of Linux. */
static const struct redirect_call calls[] = {
	{ "brk", 214 },      { "munmap", 215 }, { "mremap", 216 },   { "execve", 221 },  { "mmap", 222 },
	{ "mprotect", 226 }, { "mlock", 228 },  { "mlockall", 230 }, { "madvise", 233 }, { NULL, 0 },
};

const struct redirect_machine redirect_aarch64 = {
	.decode = decode,
	.number_register = X8,
	.clobbered = 1u << 0,
	.landing_bytes = 0,
	.is_landing = is_landing,
	.jump_bytes = 20,
	.write_jump = write_jump,
	.calls = calls,
};
