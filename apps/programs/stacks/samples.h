/* SPDX-License-Identifier: Apache-2.0 */
/*
 * samples.h - where threads of a process fault, as the kernel samples it: registers, and a copy of the stack. No thread
 * is stopped, signalled or traced: the kernel takes the sample as the fault begins. Not for several threads.
 */
#ifndef UPA_STACKS_SAMPLES_H
#define UPA_STACKS_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#if defined(__x86_64__)
#define REGISTERS 17 /* as DWARF numbers them: 16 and the instruction pointer */
#elif defined(__aarch64__)
#define REGISTERS 33
#else
#error "which registers the kernel samples is not known here"
#endif
#define STACK_REGISTER (REGISTERS == 17 ? 7u : 31u)
#define PC_REGISTER (REGISTERS - 1u)

struct sample {
	uint64_t address;              /* that was touched */
	uint64_t weight;               /* faults for which it stands */
	uint64_t registers[REGISTERS]; /* by DWARF number */
	const unsigned char *stack;    /* from the stack pointer on */
	uint64_t stack_bytes;
};

struct samples;

typedef void sample_taken(void *context, const struct sample *sample);

/*
 * Begins to sample faults of all threads that a process has or will have, about so many a second.
 *
 * Returns NULL with errno: EACCES or EPERM if that is not allowed, ESRCH if there is no such process.
 */
struct samples *samples_begin(pid_t pid, unsigned each_second);

/* Hands out what was taken since the last call; what the call gets is valid until it returns. */
void samples_take(struct samples *s, sample_taken *taken, void *context);

/* How many were lost, since they were not taken in time. */
uint64_t samples_lost(const struct samples *s);

void samples_end(struct samples *s);

#endif
