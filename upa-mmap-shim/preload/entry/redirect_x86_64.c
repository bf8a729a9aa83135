/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86-64 instructions of the kind that a system call's stub consists of: moves, arithmetic on registers, tests,
 * branches. No other is decoded. Lengths and encodings: Intel's Software Developer's Manual, volume 2, chapter 2 and
 * appendix A.
 */
#include "entry/redirect_walk.h"

#include <string.h>

#define RAX 0
#define RCX 1
#define RDX 2
#define RSP 4
#define RBP 5
#define R11 11

#define MOST_INSTRUCTION_BYTES 15

/* The bytes still to be decoded; `short_of` when more were asked for than there are. */
struct cursor {
	const unsigned char *at, *end;
	bool short_of;
};

static uint32_t take(struct cursor *c, unsigned bytes)
{
	uint32_t value = 0;

	if ((size_t)(c->end - c->at) < bytes) {
		c->short_of = true;
		return 0;
	}
	memcpy(&value, c->at, bytes);
	c->at += bytes;
	return value;
}

static void skip(struct cursor *c, unsigned bytes)
{
	if ((size_t)(c->end - c->at) < bytes)
		c->short_of = true;
	else
		c->at += bytes;
}

struct prefixes {
	bool operand16; /* 66 */
	bool repeat;    /* f3 */
	bool rex, wide;
	unsigned char r, b; /* what REX adds to the numbers of registers: 0 or 8 */
};

static struct prefixes take_prefixes(struct cursor *c)
{
	struct prefixes p = { .operand16 = false };
	unsigned char byte;

	for (; c->at < c->end; c->at++) {
		byte = *c->at;
		if (byte == 0x66)
			p.operand16 = true;
		else if (byte == 0xf3)
			p.repeat = true;
		else if (byte != 0x64 && byte != 0x2e) /* fs, for errno and the stack's canary; cs, in padding */
			break;
	}
	if (c->at < c->end && (*c->at & 0xf0) == 0x40) {
		byte = (unsigned char)take(c, 1);
		p.rex = true;
		p.wide = byte & 8;
		p.r = byte & 4 ? 8 : 0;
		p.b = byte & 1 ? 8 : 0;
	}
	return p;
}

struct operands {
	unsigned char reg;   /* with REX's bit */
	unsigned char group; /* the same three bits without, where they select an operation */
	unsigned char rm;    /* NO_REGISTER: memory */
};

static struct operands take_operands(struct cursor *c, const struct prefixes *p)
{
	unsigned char modrm = (unsigned char)take(c, 1);
	unsigned char mod = modrm >> 6, rm = modrm & 7;
	struct operands o = { .group = modrm >> 3 & 7, .rm = NO_REGISTER };

	o.reg = o.group | p->r;
	if (mod == 3) {
		o.rm = rm | p->b;
		return o;
	}
	if (rm == 4) {
		unsigned char base = take(c, 1) & 7;

		if (mod == 0 && base == 5)
			skip(c, 4);
	}
	if (mod == 1)
		skip(c, 1);
	else if (mod == 2 || (mod == 0 && rm == 5))
		skip(c, 4);
	return o;
}

/* A register of one byte: without REX, 4 to 7 are the second bytes of 0 to 3. */
static unsigned char byte_register(const struct prefixes *p, unsigned char r)
{
	return !p->rex && r != NO_REGISTER && r >= 4 ? r - 4 : r;
}

static void next_writing(struct instruction *i, unsigned char r)
{
	i->flow = FLOW_NEXT;
	if (r != NO_REGISTER)
		i->writes |= 1u << r;
}

static void branch(struct instruction *i, struct cursor *c, unsigned bytes, enum flow flow)
{
	int64_t distance = bytes == 1 ? (int8_t)take(c, 1) : (int32_t)take(c, 4);

	i->flow = flow;
	i->target = distance; /* from the instruction's end, to which the length is added */
}

static unsigned immediate_bytes(const struct prefixes *p)
{
	return p->operand16 && !p->wide ? 2 : 4;
}

/* add, or, adc, sbb, and, sub, xor, cmp: the operation in bits 3 to 5, the operands in the rest. */
static void decode_arithmetic(struct instruction *i, struct cursor *c, const struct prefixes *p, unsigned char opcode)
{
	unsigned char operation = opcode >> 3, form = opcode & 7;
	bool compares = operation == 7, clears = operation == 6;
	unsigned char written;

	if (form == 4 || form == 5) {
		skip(c, form == 4 ? 1 : immediate_bytes(p));
		written = RAX;
	} else if (form < 4) {
		struct operands o = take_operands(c, p);

		written = form & 2 ? o.reg : o.rm;
		if (!(form & 1))
			written = byte_register(p, written);
		if (clears && form & 1 && !p->operand16 && o.reg == o.rm) {
			i->set = written;
			i->value = 0;
		}
	} else {
		return;
	}
	next_writing(i, compares ? NO_REGISTER : written);
}

static void decode_move(struct instruction *i, struct cursor *c, const struct prefixes *p, unsigned char opcode)
{
	struct operands o = take_operands(c, p);
	unsigned char to = opcode & 2 ? o.reg : o.rm;
	unsigned char from = opcode & 2 ? o.rm : o.reg;

	if (!(opcode & 1)) {
		next_writing(i, byte_register(p, to));
		return;
	}
	next_writing(i, to);
	if (o.rm != NO_REGISTER && !p->operand16) {
		i->set = to;
		i->copy = from;
	}
}

static void decode_f6_f7(struct instruction *i, struct cursor *c, const struct prefixes *p, unsigned char opcode)
{
	struct operands o = take_operands(c, p);

	if (opcode == 0xf6)
		o.rm = byte_register(p, o.rm);
	if (o.group == 0) { /* test */
		skip(c, opcode == 0xf6 ? 1 : immediate_bytes(p));
		next_writing(i, NO_REGISTER);
	} else if (o.group == 2 || o.group == 3) { /* not, neg */
		next_writing(i, o.rm);
	}
}

static void decode_two_bytes(struct instruction *i, struct cursor *c, const struct prefixes *p)
{
	unsigned char opcode = (unsigned char)take(c, 1);
	struct operands o;

	if (p->repeat) {
		if (opcode == 0x1e && take(c, 1) == 0xfa) /* endbr64 */
			next_writing(i, NO_REGISTER);
		return;
	}
	switch (opcode) {
	case 0x05: /* syscall */ i->flow = FLOW_SYSTEM_CALL; break;
	case 0x0b: /* ud2 */ i->flow = FLOW_END; break;
	case 0x1f: /* nop */
		take_operands(c, p);
		next_writing(i, NO_REGISTER);
		break;
	case 0x40 ... 0x4f: /* cmov */
	case 0xb6:
	case 0xb7:
	case 0xbe:
	case 0xbf: /* movzx, movsx */
		o = take_operands(c, p);
		next_writing(i, o.reg);
		break;
	case 0x80 ... 0x8f: /* jcc */ branch(i, c, 4, FLOW_BRANCH); break;
	case 0x90 ... 0x9f: /* setcc */
		o = take_operands(c, p);
		next_writing(i, byte_register(p, o.rm));
		break;
	}
}

static void decode_one_byte(struct instruction *i, struct cursor *c, const struct prefixes *p, unsigned char opcode)
{
	struct operands o;

	switch (opcode) {
	case 0x00 ... 0x05:
	case 0x08 ... 0x0d:
	case 0x10 ... 0x15:
	case 0x18 ... 0x1d:
	case 0x20 ... 0x25:
	case 0x28 ... 0x2d:
	case 0x30 ... 0x35:
	case 0x38 ... 0x3d: decode_arithmetic(i, c, p, opcode); break;
	case 0x50 ... 0x57: /* push */ next_writing(i, RSP); break;
	case 0x58 ... 0x5f: /* pop */
		next_writing(i, (opcode & 7) | p->b);
		i->writes |= 1u << RSP;
		break;
	case 0x63: /* movsxd */
		o = take_operands(c, p);
		next_writing(i, o.reg);
		break;
	case 0x8d: /* lea */
		o = take_operands(c, p);
		if (o.rm == NO_REGISTER)
			next_writing(i, o.reg);
		break;
	case 0x70 ... 0x7f: /* jcc */ branch(i, c, 1, FLOW_BRANCH); break;
	case 0x80:
	case 0x81:
	case 0x83: /* arithmetic with an immediate */
		o = take_operands(c, p);
		skip(c, opcode == 0x81 ? immediate_bytes(p) : 1);
		if (opcode == 0x80)
			o.rm = byte_register(p, o.rm);
		next_writing(i, o.group == 7 ? NO_REGISTER : o.rm);
		break;
	case 0x84:
	case 0x85: /* test */
		take_operands(c, p);
		next_writing(i, NO_REGISTER);
		break;
	case 0x88 ... 0x8b: /* mov */ decode_move(i, c, p, opcode); break;
	case 0x90: /* nop; with REX, or f3, it is another */
		if (!p->rex && !p->repeat)
			next_writing(i, NO_REGISTER);
		break;
	case 0x98: /* cltq */ next_writing(i, RAX); break;
	case 0xa8:
	case 0xa9: /* test of rax */
		skip(c, opcode == 0xa8 ? 1 : immediate_bytes(p));
		next_writing(i, NO_REGISTER);
		break;
	case 0xb8 ... 0xbf: /* mov of an immediate */
		next_writing(i, (opcode & 7) | p->b);
		if (p->wide)
			skip(c, 8);
		else if (p->operand16)
			skip(c, 2);
		else
			i->set = (opcode & 7) | p->b, i->value = take(c, 4);
		break;
	case 0xc0:
	case 0xc1: /* shifts */
		o = take_operands(c, p);
		skip(c, 1);
		next_writing(i, opcode == 0xc0 ? byte_register(p, o.rm) : o.rm);
		break;
	case 0xc3: /* ret */
	case 0xcc: /* int3 */
	case 0xf4: /* hlt */ i->flow = FLOW_END; break;
	case 0xc6:
	case 0xc7: /* mov of an immediate */
		o = take_operands(c, p);
		if (o.group)
			break;
		if (opcode == 0xc6)
			o.rm = byte_register(p, o.rm);
		next_writing(i, o.rm);
		if (opcode == 0xc7 && o.rm != NO_REGISTER && !p->operand16)
			i->set = o.rm, i->value = take(c, 4);
		else
			skip(c, opcode == 0xc6 ? 1 : immediate_bytes(p));
		break;
	case 0xc9: /* leave */
		next_writing(i, RBP);
		i->writes |= 1u << RSP;
		break;
	case 0xe8: /* call */ branch(i, c, 4, FLOW_CALL); break;
	case 0xe9: /* jmp */ branch(i, c, 4, FLOW_JUMP); break;
	case 0xeb: branch(i, c, 1, FLOW_JUMP); break;
	case 0xf6:
	case 0xf7: /* test, not, neg */ decode_f6_f7(i, c, p, opcode); break;
	case 0xff: /* a call through memory or a register; jumps of the kind lead nobody knows where */
		o = take_operands(c, p);
		if (o.group == 2)
			i->flow = FLOW_CALL;
		break;
	}
}

static struct instruction decode(const unsigned char *at, size_t room)
{
	struct instruction i = { .set = NO_REGISTER, .copy = NO_REGISTER };
	struct cursor c = { .at = at, .end = at + (room < MOST_INSTRUCTION_BYTES ? room : MOST_INSTRUCTION_BYTES) };
	struct prefixes p = take_prefixes(&c);
	unsigned char opcode = (unsigned char)take(&c, 1);

	if (c.short_of)
		return i;
	if (opcode == 0x0f)
		decode_two_bytes(&i, &c, &p);
	else if (!p.repeat)
		decode_one_byte(&i, &c, &p, opcode);
	/* A branch with an operand of 16 bits is another on each maker's processors. */
	if (c.short_of || (i.target && p.operand16))
		i.flow = FLOW_UNKNOWN;
	i.length = (unsigned)(c.at - at);
	i.target += i.length;
	return i;
}

static bool is_landing(const unsigned char *at)
{
	static const unsigned char endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	return !memcmp(at, endbr64, sizeof(endbr64));
}

/* jmp *0(%rip), and the address. */
static void write_jump(unsigned char *at, uint64_t to)
{
	static const unsigned char jump[] = { 0xff, 0x25, 0, 0, 0, 0 };

	memcpy(at, jump, sizeof(jump));
	memcpy(at + sizeof(jump), &to, sizeof(to));
}

/* arch/x86/entry/syscalls/syscall_64.tbl of Linux; by number, since a test reads x86-64 files elsewhere too. */
static const struct redirect_call calls[] = {
	{ "mmap", 9 },     { "mprotect", 10 }, { "munmap", 11 }, { "brk", 12 },       { "mremap", 25 },
	{ "madvise", 28 }, { "execve", 59 },   { "mlock", 149 }, { "mlockall", 151 }, { NULL, 0 },
};

const struct redirect_machine redirect_x86_64 = {
	.decode = decode,
	.number_register = RAX,
	.clobbered = 1u << RAX | 1u << RCX | 1u << R11,
	.landing_bytes = 4,
	.is_landing = is_landing,
	.jump_bytes = 14,
	.write_jump = write_jump,
	.calls = calls,
};
