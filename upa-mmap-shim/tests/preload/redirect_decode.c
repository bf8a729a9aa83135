/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redirect_decode x86-64|aarch64 <OBJDUMP: the decoder against a disassembler, on all the code of a file. Reads what
 * `objdump -d` says of it: each instruction has the length that it has there, or is refused, and each branch its
 * target; a register that it names as the result is one that the instruction may change.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "entry/redirect_walk.h"

static unsigned long decoded, refused, branches, results;

/* "%r10d" or "w10" as 10, "%ah" and "%ax" as 0; -1: no general register. */
static int general_register(const struct redirect_machine *machine, const char *name)
{
	static const char x86_64[16][5][5] = {
		{ "rax", "eax", "ax", "al", "ah" }, { "rcx", "ecx", "cx", "cl", "ch" },
		{ "rdx", "edx", "dx", "dl", "dh" }, { "rbx", "ebx", "bx", "bl", "bh" },
		{ "rsp", "esp", "sp", "spl" },      { "rbp", "ebp", "bp", "bpl" },
		{ "rsi", "esi", "si", "sil" },      { "rdi", "edi", "di", "dil" },
		{ "r8", "r8d", "r8w", "r8b" },      { "r9", "r9d", "r9w", "r9b" },
		{ "r10", "r10d", "r10w", "r10b" },  { "r11", "r11d", "r11w", "r11b" },
		{ "r12", "r12d", "r12w", "r12b" },  { "r13", "r13d", "r13w", "r13b" },
		{ "r14", "r14d", "r14w", "r14b" },  { "r15", "r15d", "r15w", "r15b" },
	};
	char bare[8] = "";

	if (machine == &redirect_aarch64) {
		sscanf(name, "%7[a-z0-9]", bare);
		return (*bare == 'x' || *bare == 'w') && isdigit((unsigned char)bare[1]) ? atoi(bare + 1) : -1;
	}
	sscanf(name, "%%%7[a-z0-9]", bare);
	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 5; k++)
			if (*bare && !strcmp(bare, x86_64[i][k]))
				return i;
	return -1;
}

static bool begins_with_one_of(const char *name, const char *list)
{
	char item[16];
	int n;

	for (; sscanf(list, " %15s%n", item, &n) == 1; list += n)
		if (!strncmp(name, item, strlen(item)))
			return true;
	return false;
}

/* x86-64 names the result last, aarch64 first; what only reads names none. */
static void check_result(const struct redirect_machine *machine, unsigned long at, struct instruction is,
			 const char *text)
{
	bool arm = machine == &redirect_aarch64;
	char name[16] = "", operands[128] = "";
	const char *result = operands;
	int r;

	if (sscanf(text, "%15s %127[^#<]", name, operands) != 2 ||
	    begins_with_one_of(name, arm ? "st cmp cmn tst ccm b tb cb prfm ret msr dc ic" :
					   "cmp test push j call nop ret xchg"))
		return;
	while (operands[0] && isspace((unsigned char)operands[strlen(operands) - 1]))
		operands[strlen(operands) - 1] = 0;
	if (!arm) {
		result = strrchr(operands, ',') ? strrchr(operands, ',') + 1 : operands;
		if (strchr(result, ')'))
			return;
	}
	r = general_register(machine, result);
	CHECK(r < 0 || is.writes >> r & 1, "at=%#lx register=%d writes=%#x text=%s", at, r, is.writes, text);
	results += r >= 0;
}

/* The bytes of one instruction, and the address that its last operand is, if it is one. */
static void check(const struct redirect_machine *machine, unsigned long at, const unsigned char *bytes, size_t length,
		  const char *text)
{
	unsigned char room[32] = { 0 };
	struct instruction is;
	char name[16] = "", operand[32] = "";

	memcpy(room, bytes, length);
	is = machine->decode(room, sizeof(room));
	if (is.flow == FLOW_UNKNOWN) {
		refused++;
		return;
	}
	CHECK(is.length == length, "at=%#lx length=%u expected=%zu text=%s", at, is.length, length, text);
	decoded++;
	check_result(machine, at, is, text);
	sscanf(text, "%15s %31[^<]", name, operand);
	if (is.flow == FLOW_BRANCH || is.flow == FLOW_JUMP) {
		const char *last = strrchr(operand, ',');
		unsigned long target = strtoul(last ? last + 1 : operand, NULL, 16);

		CHECK(at + (unsigned long)is.target == target, "at=%#lx target=%+" PRId64 " text=%s", at, is.target,
		      text);
		CHECK(*name == 'j' || *name == 'b' || *name == 'c' || *name == 't', "at=%#lx text=%s", at, text);
		branches++;
	}
	if (machine == &redirect_x86_64) {
		CHECK((is.flow == FLOW_SYSTEM_CALL) == !strcmp(name, "syscall"), "at=%#lx text=%s", at, text);
		CHECK((is.flow == FLOW_CALL) == !strcmp(name, "call"), "at=%#lx text=%s", at, text);
		CHECK(strncmp(name, "j", 1) || is.flow == FLOW_BRANCH || is.flow == FLOW_JUMP, "at=%#lx text=%s", at,
		      text);
		CHECK(strcmp(name, "ret") || is.flow == FLOW_END, "at=%#lx text=%s", at, text);
	} else {
		CHECK((is.flow == FLOW_SYSTEM_CALL) == !strcmp(name, "svc"), "at=%#lx text=%s", at, text);
		CHECK((is.flow == FLOW_CALL) == (!strcmp(name, "bl") || !strcmp(name, "blr")), "at=%#lx text=%s", at,
		      text);
	}
}

/* "  1019a0:\t41 89 ca             \tmov    %ecx,%r10d"; aarch64: one word of eight digits. */
static void read_line(const struct redirect_machine *machine, char *line)
{
	unsigned char bytes[32];
	size_t length = 0;
	char *end, *text, *hex = strchr(line, '\t');
	unsigned long at = strtoul(line, &end, 16);

	if (end == line || *end != ':' || !hex)
		return;
	text = strchr(++hex, '\t');
	if (!text)
		return;
	for (; hex < text; hex++) {
		unsigned value;

		if (!isxdigit((unsigned char)*hex))
			continue;
		CHECK(length < sizeof(bytes) && sscanf(hex, "%2x", &value) == 1, "line=%s", line);
		bytes[length++] = (unsigned char)value;
		hex++;
	}
	if (machine == &redirect_aarch64 && length == 4) {
		unsigned char b[] = { bytes[3], bytes[2], bytes[1], bytes[0] };

		memcpy(bytes, b, 4);
	}
	text[strcspn(text, "\n")] = 0;
	check(machine, at, bytes, length, text + 1);
}

int main(int argc, char **argv)
{
	static char line[4096];
	const struct redirect_machine *machine;

	CHECK(argc == 2, "usage: redirect_decode x86-64|aarch64");
	machine = strcmp(argv[1], "aarch64") ? &redirect_x86_64 : &redirect_aarch64;
	while (fgets(line, sizeof(line), stdin))
		read_line(machine, line);
	printf("%lu instructions decoded, %lu branches, %lu results; %lu refused\n", decoded, branches, results,
	       refused);
	CHECK(decoded > 100000 && results > decoded / 4 && branches > 10000 && refused < decoded / 4, "too few");
	return 0;
}
