/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "entry/next.h"

#include <string.h>

#include "entry/symbols.h"

static void *first_malloc(size_t bytes)
{
	next_find();
	return next.malloc(bytes);
}

static void *first_calloc(size_t count, size_t bytes)
{
	next_find();
	return next.calloc(count, bytes);
}

static void *first_realloc(void *block, size_t bytes)
{
	next_find();
	return next.realloc(block, bytes);
}

static void *first_memalign(size_t alignment, size_t bytes)
{
	next_find();
	return next.memalign(alignment, bytes);
}

static void *first_aligned_alloc(size_t alignment, size_t bytes)
{
	next_find();
	return next.aligned_alloc(alignment, bytes);
}

static int first_posix_memalign(void **block, size_t alignment, size_t bytes)
{
	next_find();
	return next.posix_memalign(block, alignment, bytes);
}

struct next next = {
	.malloc = first_malloc,
	.calloc = first_calloc,
	.realloc = first_realloc,
	.memalign = first_memalign,
	.aligned_alloc = first_aligned_alloc,
	.posix_memalign = first_posix_memalign,
};

struct next_flags next_foreign, next_returns;

static bool looked, others;

/* libc as next_find() has found it; .symbols is NULL if it has not. */
static struct object libc_object;

#define NEXT_NAME(name) #name,

static const char *const names[] = { NEXT_FUNCTIONS(NEXT_NAME) };

#define NAMES (sizeof(names) / sizeof(*names))

_Static_assert(sizeof(next) == NAMES * sizeof(void *), "a pointer for each");
_Static_assert(sizeof(next_foreign) == NAMES, "a flag for each");

struct search {
	struct object libc; /* that which starts programs */
	bool has_libc;
	const ElfW(Sym) * libcs[NAMES]; /* of its functions; NULL where it has none */
	void *found[NAMES];
	size_t left;
};

static int is_libc(const struct object *o, void *context)
{
	struct search *s = context;

	s->has_libc = object_symbol(o, "__libc_start_main");
	s->libc = *o;
	return s->has_libc;
}

static int look_into(const struct object *o, void *context)
{
	struct search *s = context;
	bool libc = s->has_libc && o->base == s->libc.base;

	for (size_t i = 0; i < NAMES; i++) {
		const ElfW(Sym) *symbol = s->libcs[i];

		if (s->found[i])
			continue;
		if (!libc)
			symbol = object_symbol_version(o, names[i], symbol ? object_version(&s->libc, symbol) : NULL);
		if (!symbol)
			continue;
		s->found[i] = object_address(o, symbol);
		((bool *)&next_foreign)[i] = !libc;
		others |= !libc;
		s->left--;
	}
	return !s->left;
}

void next_find(void)
{
	struct search s = { .left = NAMES };

	objects_after(NULL, is_libc, &s);
	for (size_t i = 0; s.has_libc && i < NAMES; i++)
		s.libcs[i] = object_symbol(&s.libc, names[i]);
	if (s.has_libc)
		libc_object = s.libc;
	objects_after(&next, look_into, &s);
	for (size_t i = 0; i < NAMES; i++)
		if (s.found[i])
			__atomic_store_n((void **)&next + i, s.found[i], __ATOMIC_RELAXED);
	__atomic_store_n(&looked, true, __ATOMIC_RELEASE);
}

void *next_in_libc(const char *name)
{
	const ElfW(Sym) * symbol;

	next_need();
	symbol = libc_object.symbols ? object_symbol(&libc_object, name) : NULL;
	return symbol ? object_address(&libc_object, symbol) : NULL;
}

void next_need(void)
{
	if (__builtin_expect(!__atomic_load_n(&looked, __ATOMIC_ACQUIRE), 0))
		next_find();
}

void next_redirected(const char *name)
{
	for (size_t i = 0; others && i < NAMES; i++)
		if (!strcmp(names[i], name))
			((bool *)&next_returns)[i] = ((bool *)&next_foreign)[i];
	if (!strcmp(name, "mmap"))
		next_returns.mmap64 = next_foreign.mmap64;
}
