/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "entry/symbols.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>

/* glibc replaces the tables' addresses by what they are in memory, others do not, nor does a file. */
static const void *pointer(const struct object *o, ElfW(Addr) address)
{
	return (const void *)(address < o->base ? o->base + address : address);
}

static bool read_dynamic(struct object *o, const ElfW(Dyn) * dynamic)
{
	for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		const void *at = pointer(o, dynamic->d_un.d_ptr);

		switch (dynamic->d_tag) {
		case DT_SYMTAB: o->symbols = at; break;
		case DT_STRTAB: o->names = at; break;
		case DT_VERSYM: o->versions = at; break;
		case DT_VERDEF: o->definitions = at; break;
		case DT_GNU_HASH: o->gnu_hash = at; break;
		case DT_HASH: o->hash = at; break;
		}
	}
	return o->symbols && o->names && (o->gnu_hash || o->hash);
}

bool object_open(struct object *o, uintptr_t base, const ElfW(Phdr) * headers, size_t n)
{
	const ElfW(Dyn) *dynamic = NULL;

	*o = (struct object){ .base = base };
	for (size_t i = 0; i < n; i++) {
		if (headers[i].p_type == PT_DYNAMIC)
			dynamic = (const void *)(base + headers[i].p_vaddr);
		if (headers[i].p_type == PT_LOAD && headers[i].p_flags & PF_X && !o->code) {
			o->code = (const void *)(base + headers[i].p_vaddr);
			o->code_bytes = headers[i].p_filesz;
		}
	}
	return read_dynamic(o, dynamic);
}

#define HIDDEN_VERSION 0x8000
#define FIRST_VERSION 2 /* below: local, and of no version */

const char *object_version(const struct object *o, const ElfW(Sym) * symbol)
{
	uint16_t index = o->versions ? o->versions[symbol - o->symbols] & ~HIDDEN_VERSION : 0;
	const ElfW(Verdef) *d = o->definitions;

	if (index < FIRST_VERSION || !d)
		return NULL;
	while (d->vd_ndx != index && d->vd_next)
		d = (const void *)((const char *)d + d->vd_next);
	if (d->vd_ndx != index)
		return NULL;
	return o->names + ((const ElfW(Verdaux) *)((const char *)d + d->vd_aux))->vda_name;
}

static bool is_version(const struct object *o, const ElfW(Sym) * s, const char *version)
{
	const char *its;

	if (!version)
		return !(o->versions && o->versions[s - o->symbols] & HIDDEN_VERSION);
	its = object_version(o, s);
	return !its || !strcmp(its, version);
}

static bool defines(const struct object *o, uint32_t index, const char *name, const char *version)
{
	const ElfW(Sym) *s = &o->symbols[index];

	return s->st_shndx != SHN_UNDEF && (s->st_value || s->st_shndx == SHN_ABS) &&
	       ELF64_ST_TYPE(s->st_info) != STT_TLS && !strcmp(o->names + s->st_name, name) &&
	       is_version(o, s, version);
}

/* A Bloom filter, buckets, and chains of hashes that end with an odd one. */
static const ElfW(Sym) * by_gnu_hash(const struct object *o, const char *name, const char *version)
{
	uint32_t buckets = o->gnu_hash[0], first = o->gnu_hash[1], words = o->gnu_hash[2], shift = o->gnu_hash[3];
	const ElfW(Addr) *filter = (const void *)(o->gnu_hash + 4);
	const uint32_t *bucket = (const void *)(filter + words);
	const uint32_t *chain = bucket + buckets;
	const unsigned bits = sizeof(*filter) * 8;
	uint32_t hash = 5381, index;

	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		hash = hash * 33 + *c;
	if (!buckets || !words ||
	    !(filter[hash / bits % words] >> hash % bits & filter[hash / bits % words] >> (hash >> shift) % bits & 1))
		return NULL;
	index = bucket[hash % buckets];
	if (index < first)
		return NULL;
	for (;; index++) {
		uint32_t other = chain[index - first];

		if ((other | 1) == (hash | 1) && defines(o, index, name, version))
			return &o->symbols[index];
		if (other & 1)
			return NULL;
	}
}

static const ElfW(Sym) * by_hash(const struct object *o, const char *name, const char *version)
{
	uint32_t buckets = o->hash[0], hash = 0;
	const uint32_t *bucket = o->hash + 2;
	const uint32_t *chain = bucket + buckets;

	for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
		hash = (hash << 4) + *c;
		hash ^= hash >> 24 & 0xf0;
		hash &= 0xfffffff;
	}
	for (uint32_t index = buckets ? bucket[hash % buckets] : 0; index; index = chain[index])
		if (defines(o, index, name, version))
			return &o->symbols[index];
	return NULL;
}

const ElfW(Sym) * object_symbol_version(const struct object *o, const char *name, const char *version)
{
	return o->gnu_hash ? by_gnu_hash(o, name, version) : by_hash(o, name, version);
}

const ElfW(Sym) * object_symbol(const struct object *o, const char *name)
{
	return object_symbol_version(o, name, NULL);
}

void *object_address(const struct object *o, const ElfW(Sym) * symbol)
{
	void *at = (void *)(o->base + symbol->st_value);

	/* Its resolver, which x86-64 calls without the argument. */
	if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC)
		at = ((void *(*)(unsigned long))at)(getauxval(AT_HWCAP));
	return at;
}

typedef int iterate_fn(int (*each)(struct dl_phdr_info *, size_t, void *), void *context);

/* Of the dynamic linker; musl has none by this name. */
extern struct r_debug _r_debug __attribute__((weak));

/*
 * libc's own dl_iterate_phdr(). A sanitizer puts its own in front, which crashes until the sanitizer has started, and
 * it allocates before it has. The list is read without a lock: this is done once, before there can be threads.
 */
static iterate_fn *libc_iterate(void)
{
	const struct link_map *map = &_r_debug ? _r_debug.r_map : NULL;

	for (; map; map = map->l_next) {
		struct object o = { .base = map->l_addr };
		const ElfW(Sym) * symbol;

		if (read_dynamic(&o, map->l_ld) && object_symbol(&o, "__libc_start_main") &&
		    (symbol = object_symbol(&o, "dl_iterate_phdr")))
			return (iterate_fn *)object_address(&o, symbol);
	}
	return dl_iterate_phdr;
}

static int iterate(int (*each)(struct dl_phdr_info *, size_t, void *), void *context)
{
	static iterate_fn *_Atomic found;
	iterate_fn *its = atomic_load_explicit(&found, memory_order_relaxed);

	if (!its) {
		its = libc_iterate();
		atomic_store_explicit(&found, its, memory_order_relaxed);
	}
	return its(each, context);
}

struct search {
	const char *name; /* of a file, or of a symbol */
	struct object object;
	void *found;
};

static int is_file(struct dl_phdr_info *info, size_t size, void *search)
{
	struct search *s = search;
	const char *last = strrchr(info->dlpi_name, '/');

	(void)size;
	return !strcmp(last ? last + 1 : info->dlpi_name, s->name) &&
	       object_open(&s->object, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum);
}

bool object_find(struct object *o, const char *file)
{
	struct search s = { .name = file };

	if (!iterate(is_file, &s))
		return false;
	*o = s.object;
	return true;
}

static bool holds(const struct dl_phdr_info *info, uintptr_t address)
{
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD &&
		    address - (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr) < info->dlpi_phdr[i].p_memsz)
			return true;
	return false;
}

/* No library: the dynamic linker does not search it. */
static bool is_vdso(const struct dl_phdr_info *info)
{
	return !strncmp(info->dlpi_name, "linux-", strlen("linux-"));
}

struct walk {
	const void *after; /* not NULL: only behind the object in which this lies */
	int (*each)(const struct object *o, void *context);
	void *context;
};

static int visit(struct dl_phdr_info *info, size_t size, void *walk)
{
	struct walk *w = walk;
	struct object o;

	(void)size;
	if (w->after) {
		if (holds(info, (uintptr_t)w->after))
			w->after = NULL;
		return 0;
	}
	if (is_vdso(info) || !object_open(&o, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum))
		return 0;
	return w->each(&o, w->context);
}

int objects_after(const void *self, int (*each)(const struct object *o, void *context), void *context)
{
	struct walk w = { self, each, context };

	return iterate(visit, &w);
}

static int has_symbol(const struct object *o, void *search)
{
	struct search *s = search;
	const ElfW(Sym) *symbol = object_symbol(o, s->name);

	if (symbol)
		s->found = object_address(o, symbol);
	return symbol != NULL;
}

void *symbol_next(const void *self, const char *name)
{
	struct search s = { .name = name };

	objects_after(self, has_symbol, &s);
	return s.found;
}

void *symbol_first(const char *name)
{
	struct search s = { .name = name };

	objects_after(NULL, has_symbol, &s);
	return s.found;
}
