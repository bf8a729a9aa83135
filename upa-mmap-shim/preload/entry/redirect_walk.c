/* SPDX-License-Identifier: Apache-2.0 */
#include "entry/redirect_walk.h"

#include <string.h>

#define MOST_INSTRUCTIONS 256
#define NEAR_BYTES 128 /* stubs are hardly longer */
#define REGISTERS 32

/* Which registers hold known numbers by the time an instruction runs: small ones, like those of system calls. */
struct registers {
	uint32_t known;
	uint16_t value[REGISTERS];
};

struct step {
	size_t at;
	bool pending;
	struct registers registers;
};

struct walk {
	const struct redirect_machine *machine;
	struct code code;
	size_t entry, end; /* of the symbol */
	size_t patch;
	uint16_t number;
	bool makes_it;
	uint16_t near[NEAR_BYTES]; /* by the distance from the entry: 1 + the number of the step, or 0 */
	size_t n;
	struct step steps[MOST_INSTRUCTIONS];
};

/* Whether `into` knew more than `from` does, which it then no longer does. */
static bool forget(struct registers *into, const struct registers *from)
{
	uint32_t known = into->known & from->known;

	for (uint32_t left = known; left; left &= left - 1) {
		int i = __builtin_ctz(left);

		if (into->value[i] != from->value[i])
			known &= ~(1u << i);
	}
	if (known == into->known)
		return false;
	into->known = known;
	return true;
}

/* The step at this place; NULL: there is none yet. */
static struct step *step_at(struct walk *w, size_t at)
{
	if (at - w->entry < NEAR_BYTES)
		return w->near[at - w->entry] ? &w->steps[w->near[at - w->entry] - 1] : NULL;
	for (size_t i = 0; i < w->n; i++)
		if (w->steps[i].at == at)
			return &w->steps[i];
	return NULL;
}

/* The walk comes to `at`: again, if it knows less than last time. */
static enum refusal arrive(struct walk *w, size_t at, const struct registers *registers)
{
	struct step *seen = step_at(w, at);

	if (seen) {
		seen->pending |= forget(&seen->registers, registers);
		return REDIRECT_FINE;
	}
	if (w->n == MOST_INSTRUCTIONS)
		return REDIRECT_TOO_LONG;
	if (at - w->entry < NEAR_BYTES)
		w->near[at - w->entry] = (uint16_t)(w->n + 1);
	seen = &w->steps[w->n++];
	seen->at = at;
	seen->pending = true;
	seen->registers = *registers;
	return REDIRECT_FINE;
}

static enum refusal jump(struct walk *w, size_t from, int64_t distance, const struct registers *registers)
{
	size_t at = from + (size_t)distance;

	if (at >= w->code.length)
		return REDIRECT_OUTSIDE;
	if (at >= w->entry && at < w->patch + w->machine->jump_bytes)
		return REDIRECT_INTO_JUMP;
	return arrive(w, at, registers);
}

static bool inside(const struct walk *w, size_t at)
{
	return at >= w->entry && at < w->end;
}

static enum refusal fall_through(struct walk *w, size_t from, unsigned length, const struct registers *registers)
{
	size_t at = from + length;

	if (inside(w, from) && !inside(w, at))
		return REDIRECT_RUNS_ON;
	if (!inside(w, from) && inside(w, at) && at < w->patch + w->machine->jump_bytes)
		return REDIRECT_INTO_JUMP;
	return at < w->code.length ? arrive(w, at, registers) : REDIRECT_OUTSIDE;
}

static void apply(struct registers *registers, const struct instruction *i)
{
	bool known = i->set != NO_REGISTER && (i->copy == NO_REGISTER || registers->known >> i->copy & 1);
	uint32_t value = known && i->copy != NO_REGISTER ? registers->value[i->copy] : i->value;

	registers->known &= ~i->writes;
	if (i->set == NO_REGISTER)
		return;
	registers->known &= ~(1u << i->set);
	if (known && value <= UINT16_MAX) {
		registers->known |= 1u << i->set;
		registers->value[i->set] = (uint16_t)value;
	}
}

static enum refusal system_call(struct walk *w, struct registers *registers)
{
	unsigned char r = w->machine->number_register;

	if (!(registers->known >> r & 1) || registers->value[r] != w->number)
		return REDIRECT_OTHER_CALL;
	w->makes_it = true;
	registers->known &= ~w->machine->clobbered;
	return REDIRECT_FINE;
}

static enum refusal step(struct walk *w, const struct step *s)
{
	struct registers registers = s->registers;
	size_t at = s->at;
	struct instruction i = w->machine->decode(w->code.bytes + at, w->code.length - at);
	enum refusal refusal;

	apply(&registers, &i);
	switch (i.flow) {
	case FLOW_NEXT: return fall_through(w, at, i.length, &registers);
	case FLOW_BRANCH:
		refusal = jump(w, at, i.target, &registers);
		return refusal ? refusal : fall_through(w, at, i.length, &registers);
	case FLOW_JUMP: return jump(w, at, i.target, &registers);
	case FLOW_CALL: return at + i.length == w->end ? REDIRECT_FINE : REDIRECT_CALLS;
	case FLOW_SYSTEM_CALL:
		refusal = system_call(w, &registers);
		return refusal ? refusal : fall_through(w, at, i.length, &registers);
	case FLOW_END: return REDIRECT_FINE;
	case FLOW_UNKNOWN: break;
	}
	return REDIRECT_UNKNOWN;
}

static enum refusal walk(struct walk *w)
{
	const struct registers nothing = { .known = 0 };
	enum refusal refusal = arrive(w, w->entry, &nothing);
	bool again = true;

	while (!refusal && again) {
		again = false;
		for (size_t i = 0; i < w->n && !refusal; i++)
			if (w->steps[i].pending) {
				w->steps[i].pending = false;
				again = true;
				refusal = step(w, &w->steps[i]);
			}
	}
	return refusal;
}

enum refusal redirect_walk(const struct redirect_machine *machine, struct code code, size_t offset, size_t size,
			   uint16_t number, size_t *patch)
{
	struct walk w; /* 20 KiB, and not cleared */
	enum refusal refusal;

	if (offset > code.length || size > code.length - offset)
		return REDIRECT_OUTSIDE;
	w.machine = machine;
	w.code = code;
	w.entry = w.patch = offset;
	w.end = offset + size;
	w.number = number;
	w.makes_it = false;
	memset(w.near, 0, sizeof(w.near));
	w.n = 0;
	if (size >= machine->landing_bytes && machine->is_landing(code.bytes + offset))
		w.patch += machine->landing_bytes;
	if (w.end - w.patch < machine->jump_bytes)
		return REDIRECT_TOO_SHORT;
	refusal = walk(&w);
	if (!refusal && !w.makes_it)
		refusal = REDIRECT_NO_CALL;
	if (!refusal)
		*patch = w.patch;
	return refusal;
}

int redirect_number(const struct redirect_machine *machine, const char *name)
{
	for (const struct redirect_call *c = machine->calls; c->name; c++)
		if (!strcmp(c->name, name))
			return c->number;
	return -1;
}

const char *refusal_text(enum refusal refusal)
{
	switch (refusal) {
	case REDIRECT_FINE: return "can be redirected";
	case REDIRECT_NO_SYMBOL: return "is not there";
	case REDIRECT_NO_CALL_KNOWN: return "is no system call known here";
	case REDIRECT_TOO_SHORT: return "is too short for a jump";
	case REDIRECT_UNKNOWN: return "has an instruction that is not known";
	case REDIRECT_TOO_LONG: return "has too many instructions";
	case REDIRECT_OUTSIDE: return "jumps out of libc's code";
	case REDIRECT_INTO_JUMP: return "jumps to its own first bytes";
	case REDIRECT_RUNS_ON: return "runs past its end";
	case REDIRECT_CALLS: return "calls another function";
	case REDIRECT_OTHER_CALL: return "makes another system call";
	case REDIRECT_NO_CALL: return "makes no system call";
	case REDIRECT_NOT_WRITABLE: return "cannot be written to";
	}
	return "";
}
