/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbols.h - what loaded objects define, read out of their own dynamic tables. dlsym() does the same, but has no
 * version that both glibc 2.17 and glibc 2.34 have where we are linked (libdl.so.2, then libc.so.6), may allocate, and
 * says no size.
 *
 * Symbol versions: the default one. Safe before any constructor has run; takes the lock of dl_iterate_phdr().
 */
#ifndef UPA_SYMBOLS_H
#define UPA_SYMBOLS_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An object in memory, laid out as the linker does it: where a file is only read, just so much of it as lookups need.
 */
struct object {
	uintptr_t base;            /* what is added to the addresses in its tables */
	const unsigned char *code; /* its executable segment */
	size_t code_bytes;
	const ElfW(Sym) * symbols;
	const char *names;
	const uint16_t *versions;         /* NULL: none */
	const ElfW(Verdef) * definitions; /* of versions; NULL: none */
	const uint32_t *gnu_hash;         /* one of the two is not NULL */
	const uint32_t *hash;
};

/* False: it has no tables that could be searched. Any pointer in them may lie outside only if the file is damaged. */
bool object_open(struct object *o, uintptr_t base, const ElfW(Phdr) * headers, size_t n);

/* What it defines by this name, undefined symbols left out; NULL if nothing. */
const ElfW(Sym) * object_symbol(const struct object *o, const char *name);

/*
 * The same as a program finds that was linked with this version of it: that version, default or not, or one without
 * any. NULL for the version: as object_symbol().
 */
const ElfW(Sym) * object_symbol_version(const struct object *o, const char *name, const char *version);

/* The version of a symbol that it defines; NULL: it has none. */
const char *object_version(const struct object *o, const ElfW(Sym) * symbol);

/* The address of a symbol that it defines; of an indirect function, what its resolver chooses. */
void *object_address(const struct object *o, const ElfW(Sym) * symbol);

/* The loaded object of this file name (the last part of its path); false if there is none. */
bool object_find(struct object *o, const char *file);

/*
 * Calls `each` with every loaded object that could define something and comes after the one in which `self` lies, or
 * with all if that is NULL, until it returns not 0.
 */
int objects_after(const void *self, int (*each)(const struct object *o, void *context), void *context);

/*
 * As dlsym(RTLD_NEXT, name), of what was loaded when the program started: the definition after `self`'s object; NULL if
 * none.
 */
void *symbol_next(const void *self, const char *name);

/* As dlsym(RTLD_DEFAULT, name). */
void *symbol_first(const char *name);

#endif
