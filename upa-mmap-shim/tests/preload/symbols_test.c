/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbols.h against the dynamic linker: every function of libc, what comes next, and libraries with each kind of hash
 * table.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

#include "check.h"
#include "entry/symbols.h"

static unsigned counted;

/*
 * Names of libc's functions, out of its symbol table, of which no header says the length: up to its strings, which
 * follow.
 */
static void check_libc(void)
{
	struct object o;
	void *libc = dlopen("libc.so.6", RTLD_NOLOAD | RTLD_LAZY);
	const ElfW(Sym) * end;

	CHECK(libc && object_find(&o, "libc.so.6"), "no libc.so.6");
	end = (const void *)o.names;
	CHECK(end > o.symbols && end < o.symbols + 100000, "symbols=%p names=%p", (void *)o.symbols, (void *)o.names);
	for (const ElfW(Sym) *s = o.symbols + 1; s < end; s++) {
		const char *name = o.names + s->st_name;
		const ElfW(Sym) *found = object_symbol(&o, name);
		void *expected;

		if (s->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(s->st_info) != STT_FUNC)
			continue;
		expected = dlsym(libc, name);
		/* What has old versions alone is not found without one. */
		if (!expected) {
			CHECK(!found, "name=%s", name);
			continue;
		}
		if (!found && o.versions && o.versions[s - o.symbols] & 0x8000)
			continue; /* dlsym() makes do with a hidden version */
		CHECK(found, "name=%s", name);
		if (ELF64_ST_TYPE(found->st_info) == STT_FUNC)
			CHECK((void *)(o.base + found->st_value) == expected, "name=%s", name);
		counted++;
	}
	CHECK(counted > 1000, "counted=%u", counted);
	CHECK(!object_symbol(&o, "no_such_function") && !object_symbol(&o, ""), "found");
	CHECK(object_symbol(&o, "malloc")->st_size > 0, "size");
	CHECK((uintptr_t)dlsym(libc, "qsort") - (uintptr_t)o.code < o.code_bytes, "code=%p", (const void *)o.code);
	dlclose(libc);
}

/* Defined here, and by libc after us. */
__attribute__((visibility("default"))) int mlockall(int flags)
{
	return flags ? 42 : -42;
}

static void *libcs(const char *name)
{
	void *libc = dlopen("libc.so.6", RTLD_NOLOAD | RTLD_LAZY);
	void *function = libc ? dlsym(libc, name) : NULL;

	CHECK(function, "name=%s", name);
	dlclose(libc);
	return function;
}

static void check_order(void)
{
	CHECK(symbol_first("mlockall") == (void *)mlockall, "first");
	CHECK(symbol_next((void *)check_order, "mlockall") == dlsym(RTLD_NEXT, "mlockall"), "next");
	CHECK(symbol_next((void *)check_order, "strlen") == dlsym(RTLD_NEXT, "strlen"), "an indirect function");
	CHECK(symbol_first("munmap") == dlsym(RTLD_DEFAULT, "munmap"), "munmap");
	CHECK(!symbol_first("no_such_function") && !symbol_next((void *)check_order, "no_such_function"), "found");
	/* Not what comes first: a sanitizer's library before libc has one too. */
	CHECK(!symbol_next(libcs("munmap"), "munmap"), "libc's is the last");
	CHECK(symbol_first("symbols_peer_new") == NULL, "before it is loaded");
}

/* A library that defines one function in two versions, with a table of this kind. */
static void check_peer(const char *file, bool gnu)
{
	void *peer = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	struct object o;
	const ElfW(Sym) * s;

	CHECK(peer, "%s", dlerror());
	CHECK(object_find(&o, strrchr(file, '/') + 1), "file=%s", file);
	CHECK(!o.gnu_hash == !gnu && !o.hash == gnu, "file=%s", file);
	s = object_symbol(&o, "symbols_peer");
	CHECK(s && ((int (*)(void))(o.base + s->st_value))() == 2, "file=%s: not the default version", file);
	CHECK(!object_symbol(&o, "symbols_peer_absent") && !object_symbol(&o, "abort"), "file=%s: undefined, and found",
	      file);
	CHECK(!object_symbol(&o, "symbols_peer_thread"), "file=%s: a thread's variable has no address", file);
	CHECK(object_symbol(&o, "symbols_peer_first") && object_symbol(&o, "symbols_peer_data"), "file=%s", file);
	dlclose(peer);
}

int main(int argc, char **argv)
{
	CHECK(argc == 3, "usage: symbols_test PEER_WITH_GNU_HASH PEER_WITH_HASH");
	check_libc();
	check_order();
	check_peer(argv[1], true);
	check_peer(argv[2], false);
	return 0;
}
