/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redirect_walk.h - whether a function of libc may have a jump put over its first bytes. No version's bytes are known
 * here; what is asked is what makes the replacement safe:
 *
 *   - its symbol is at least as long as the jump;
 *   - walked instruction by instruction from its entry, both ways at every branch, it makes the system call that it is
 *     named after, and no other;
 *   - no jump that the walk meets leads to the bytes that are overwritten. Jumps that leave the symbol are followed;
 *   - what it calls does not come back (__stack_chk_fail): a call is the last instruction of the symbol.
 *
 * An instruction that the decoder does not know refuses, and so does whatever else cannot be told. A landing
 * instruction at the entry (endbr64, bti c) stays or is written again: who comes by an indirect branch needs it.
 */
#ifndef UPA_REDIRECT_WALK_H
#define UPA_REDIRECT_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What comes after an instruction. */
enum flow {
	FLOW_UNKNOWN, /* not decoded, or an indirect jump */
	FLOW_NEXT,
	FLOW_BRANCH, /* the next one or the target */
	FLOW_JUMP,   /* the target */
	FLOW_CALL,   /* the next one, if it comes back */
	FLOW_SYSTEM_CALL,
	FLOW_END, /* a return or a trap */
};

#define NO_REGISTER 255

struct instruction {
	unsigned length; /* bytes */
	enum flow flow;
	int64_t target;     /* of a branch or jump, from the instruction's first byte */
	uint32_t writes;    /* general registers that it may change, a bit each */
	unsigned char set;  /* the register that now holds `value` or what `copy` held; NO_REGISTER if none */
	unsigned char copy; /* NO_REGISTER: `value` */
	uint32_t value;
};

/* A processor: its instructions, its system calls, its jump. */
struct redirect_machine {
	struct instruction (*decode)(const unsigned char *at, size_t room);
	unsigned char number_register; /* of a system call's number */
	uint32_t clobbered;            /* registers that a system call may change */
	size_t landing_bytes;          /* of a landing instruction that stays where it is */
	bool (*is_landing)(const unsigned char *at);
	size_t jump_bytes;
	void (*write_jump)(unsigned char *at, uint64_t to);
	const struct redirect_call {
		const char *name;
		uint16_t number;
	} * calls; /* that libc's functions of the same names make; ends with name NULL */
};

extern const struct redirect_machine redirect_x86_64, redirect_aarch64;

#define REDIRECT_MOST_JUMP_BYTES 24

enum refusal {
	REDIRECT_FINE,
	REDIRECT_NO_SYMBOL,     /* libc has no such function */
	REDIRECT_NO_CALL_KNOWN, /* no system call of that name is known here */
	REDIRECT_TOO_SHORT,     /* no room for a jump */
	REDIRECT_UNKNOWN,       /* an instruction that is not known, or an indirect jump */
	REDIRECT_TOO_LONG,      /* more instructions than the walk follows */
	REDIRECT_OUTSIDE,       /* a jump out of libc's code */
	REDIRECT_INTO_JUMP,     /* a jump to the bytes that would be overwritten */
	REDIRECT_RUNS_ON,       /* runs past the end of its symbol */
	REDIRECT_CALLS,         /* calls another function */
	REDIRECT_OTHER_CALL,    /* makes another system call, or one whose number cannot be told */
	REDIRECT_NO_CALL,       /* makes no system call */
	REDIRECT_NOT_WRITABLE,  /* neither mprotect() nor /proc/self/mem writes to libc's code */
};

/* In words, to follow the function's name. */
const char *refusal_text(enum refusal refusal);

/*
 * Executable code as it lies in memory, and the address that it has when it runs (the same, but for a file that is only
 * read).
 */
struct code {
	const unsigned char *bytes;
	size_t length;
};

/*
 * Walks the function `offset` bytes into `code`, `size` bytes long by its symbol. REDIRECT_FINE: *patch is where in the
 * code the jump goes.
 */
enum refusal redirect_walk(const struct redirect_machine *machine, struct code code, size_t offset, size_t size,
			   uint16_t number, size_t *patch);

/* The number of the system call of this name; -1 if it is not known. */
int redirect_number(const struct redirect_machine *machine, const char *name);

#endif
