/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "entry/device_clients.h"

#include <link.h>
#include <stdint.h>
#include <stddef.h>

#include "entry/symbols.h"

/* Code of libc, and of the library that has malloc if that is another. */
static struct {
	const char *of;
	uintptr_t start, end;
} libraries[] = { { .of = "gnu_get_libc_version" }, { .of = "malloc" } };

#define LIBRARIES (sizeof(libraries) / sizeof(*libraries))

static int look(struct dl_phdr_info *object, size_t bytes, void *unused)
{
	(void)bytes;
	(void)unused;
	/* A program with a malloc of its own may do anything with memory. */
	if (!object->dlpi_name || !*object->dlpi_name)
		return 0;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + part->p_vaddr;

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		for (size_t k = 0; k < LIBRARIES; k++) {
			uintptr_t code = (uintptr_t)symbol_first(libraries[k].of);

			if (code - start < part->p_memsz) {
				libraries[k].start = start;
				libraries[k].end = start + part->p_memsz;
			}
		}
	}
	return 0;
}

void device_start(void)
{
	dl_iterate_phdr(look, NULL);
}

bool device_serves(const void *code)
{
	for (size_t k = 0; k < LIBRARIES; k++)
		if ((uintptr_t)code >= libraries[k].start && (uintptr_t)code < libraries[k].end)
			return true;
	return false;
}
