/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "entry/redirect.h"

#include <stdint.h>
#include <string.h>

#include "entry/redirect_text.h"
#include "os/os.h"

#if defined(__x86_64__)
#define MACHINE (&redirect_x86_64)
#elif defined(__aarch64__)
#define MACHINE (&redirect_aarch64)
#endif

enum refusal redirect_find(const struct redirect_machine *machine, const struct object *libc, const char *name,
			   size_t *patch)
{
	int number = redirect_number(machine, name);
	const ElfW(Sym) *symbol = object_symbol(libc, name);
	size_t offset;

	if (number < 0)
		return REDIRECT_NO_CALL_KNOWN;
	if (!symbol || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
		return REDIRECT_NO_SYMBOL;
	offset = libc->base + symbol->st_value - (uintptr_t)libc->code;
	return redirect_walk(machine, (struct code){ libc->code, libc->code_bytes }, offset, symbol->st_size,
			     (uint16_t)number, patch);
}

#define KERNELS "libc's own calls go to the kernel: "

#ifdef MACHINE

static const char *because(const char *name, enum refusal refusal)
{
	static char text[120];

	strcpy(text, KERNELS);
	strncat(text, name, 16);
	strcat(text, " ");
	strncat(text, refusal_text(refusal), 60);
	return text;
}

/*
 * Another thread may be about to run what is overwritten, or wait in its system call, to come back into the middle of
 * the jump. glibc since 2.32 knows whether there is one. Before, a process without libpthread has none, and otherwise
 * the kernel is asked.
 */
static bool alone(void)
{
	const char *single = symbol_first("__libc_single_threaded");

	return single ? *single : !symbol_first("pthread_create") || os_threads() == 1;
}

const char *redirect(struct redirection *list, size_t n)
{
	struct patch patches[REDIRECT_MOST];
	struct redirection *of[REDIRECT_MOST];
	struct object libc;
	size_t count = 0;
	bool done;

	if (n > REDIRECT_MOST || !object_find(&libc, "libc.so.6"))
		return KERNELS "there is no libc.so.6";
	if (!alone())
		return KERNELS "another thread runs already";
	for (size_t i = 0; i < n; i++) {
		size_t at;

		list[i].refusal = redirect_find(MACHINE, &libc, list[i].name, &at);
		if (list[i].refusal && !list[i].optional)
			return because(list[i].name, list[i].refusal);
		if (list[i].refusal)
			continue;
		of[count] = &list[i];
		patches[count].at = (unsigned char *)libc.code + at;
		patches[count].length = MACHINE->jump_bytes;
		patches[count].written = false;
		MACHINE->write_jump(patches[count].bytes, (uintptr_t)list[i].to);
		count++;
	}
	done = text_write(patches, count);
	for (size_t k = 0; k < count; k++) {
		of[k]->done = patches[k].written;
		of[k]->refusal = patches[k].written ? REDIRECT_FINE : REDIRECT_NOT_WRITABLE;
	}
	return done ? NULL : KERNELS "its code cannot be written to";
}

#else

const char *redirect(struct redirection *list, size_t n)
{
	(void)list;
	(void)n;
	return KERNELS "no jump is known for this processor";
}

#endif
