/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redirect_files LIBC...: reads files of libc, for x86-64 or aarch64, as the library reads the libc it is loaded with,
 * and says of each function that it redirects where the jump would go. Nothing of a file runs. Fails where one is
 * refused, where anything else in the file's code jumps to the bytes that would be overwritten, and where a function
 * that does not pass by ours makes the same system call itself.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "entry/redirect.h"

static const char *const functions[] = { "mmap", "munmap", "mremap",   "madvise", "mprotect",
					 "brk",  "mlock",  "mlockall", "execve" };

/* Which make one of the calls past libc's function of that name, and are ours as well. */
static const char *const known[] = { "posix_madvise", "mlock2" };

struct file {
	const unsigned char *bytes;
	size_t length;
	unsigned char *image; /* laid out as when it is loaded */
	const struct redirect_machine *machine;
	struct object object;
	uint32_t symbols;
};

static bool load(struct file *f, const char *path)
{
	const Elf64_Ehdr *header;
	const Elf64_Phdr *parts;
	const Elf64_Shdr *sections;
	struct stat st;
	size_t end = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && !fstat(fd, &st), "cannot read file=%s", path);
	*f = (struct file){ .length = (size_t)st.st_size };
	f->bytes = mmap(NULL, f->length, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	CHECK(f->bytes != MAP_FAILED && f->length > sizeof(*header) && !memcmp(f->bytes, ELFMAG, 4), "file=%s", path);
	header = (const void *)f->bytes;
	f->machine = header->e_machine == EM_X86_64  ? &redirect_x86_64 :
		     header->e_machine == EM_AARCH64 ? &redirect_aarch64 :
						       NULL;
	if (!f->machine)
		return false;
	parts = (const void *)(f->bytes + header->e_phoff);
	for (int i = 0; i < header->e_phnum; i++)
		if (parts[i].p_type == PT_LOAD && parts[i].p_vaddr + parts[i].p_memsz > end)
			end = parts[i].p_vaddr + parts[i].p_memsz;
	f->image = mmap(NULL, end, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(f->image != MAP_FAILED, "end=%zu", end);
	for (int i = 0; i < header->e_phnum; i++)
		if (parts[i].p_type == PT_LOAD)
			memcpy(f->image + parts[i].p_vaddr, f->bytes + parts[i].p_offset, parts[i].p_filesz);
	/* By section, the number of symbols, which their hash table does not say. */
	sections = (const void *)(f->bytes + header->e_shoff);
	for (int i = 0; i < header->e_shnum; i++)
		if (sections[i].sh_type == SHT_DYNSYM)
			f->symbols = (uint32_t)(sections[i].sh_size / sizeof(Elf64_Sym));
	return object_open(&f->object, (uintptr_t)f->image, parts, header->e_phnum);
}

static const char *name_at(const struct file *f, size_t code_offset)
{
	size_t at = (size_t)(f->object.code - f->image) + code_offset;

	for (uint32_t i = 0; i < f->symbols; i++) {
		const Elf64_Sym *s = &f->object.symbols[i];

		if (s->st_shndx && ELF64_ST_TYPE(s->st_info) == STT_FUNC && at - s->st_value < s->st_size)
			return f->object.names + s->st_name;
	}
	return "a local function";
}

/* Branches with displacements of four bytes, at every place where one might begin. */
static unsigned jumps_into(const struct file *f, size_t first, size_t last)
{
	unsigned n = 0, step = f->machine == &redirect_aarch64 ? 4 : 1;

	for (size_t i = 0; i + 8 <= f->object.code_bytes; i += step) {
		struct instruction is = f->machine->decode(f->object.code + i, f->object.code_bytes - i);
		int32_t distance;
		size_t to = 0;

		if (is.flow == FLOW_CALL && f->machine == &redirect_x86_64 && f->object.code[i] == 0xe8) {
			memcpy(&distance, f->object.code + i + 1, 4);
			to = i + 5 + (size_t)(int64_t)distance;
		} else if (is.length >= 4 && (is.flow == FLOW_JUMP || is.flow == FLOW_BRANCH)) {
			to = i + (size_t)is.target;
		}
		if (to >= first && to <= last) {
			printf("  a jump from %s at %#zx\n", name_at(f, i), i);
			n++;
		}
	}
	return n;
}

/*
 * `number` is put where system calls want it, and a system call follows within a few instructions, outside the function
 * itself.
 */
static unsigned other_calls(const struct file *f, uint16_t number, const Elf64_Sym *own)
{
	unsigned n = 0, step = f->machine == &redirect_aarch64 ? 4 : 1;
	size_t from = f->object.base + own->st_value - (uintptr_t)f->object.code;

	for (size_t i = 0; i < f->object.code_bytes; i += step) {
		struct instruction is = f->machine->decode(f->object.code + i, f->object.code_bytes - i);
		size_t at = i;
		bool expected = i - from < own->st_size;

		if (is.set != f->machine->number_register || is.copy != NO_REGISTER || is.value != number ||
		    is.flow != FLOW_NEXT)
			continue;
		for (size_t k = 0; k < sizeof(known) / sizeof(*known); k++)
			expected |= !strcmp(name_at(f, i), known[k]);
		for (int k = 0; k < 5 && is.flow == FLOW_NEXT; k++) {
			at += is.length;
			is = f->machine->decode(f->object.code + at, f->object.code_bytes - at);
		}
		if (is.flow == FLOW_SYSTEM_CALL && !expected) {
			printf("  the same system call in %s at %#zx\n", name_at(f, i), i);
			n++;
		}
	}
	return n;
}

static unsigned check(const char *path)
{
	struct file f;
	unsigned wrong = 0;

	CHECK(load(&f, path), "not a libc for x86-64 or aarch64: file=%s", path);
	printf("%s (%s)\n", path, f.machine == &redirect_x86_64 ? "x86-64" : "aarch64");
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		size_t patch = 0;
		enum refusal refusal = redirect_find(f.machine, &f.object, functions[i], &patch);
		const Elf64_Sym *symbol = object_symbol(&f.object, functions[i]);

		printf(" %-8s %s", functions[i], refusal_text(refusal));
		printf(refusal ? "\n" : ", %u bytes at %#zx\n", (unsigned)f.machine->jump_bytes, patch);
		wrong += refusal != REDIRECT_FINE;
		if (refusal)
			continue;
		wrong += jumps_into(&f, patch + 1, patch + f.machine->jump_bytes - 1);
		wrong += other_calls(&f, (uint16_t)redirect_number(f.machine, functions[i]), symbol);
	}
	return wrong;
}

int main(int argc, char **argv)
{
	unsigned wrong = 0;

	CHECK(argc > 1, "usage: redirect_files LIBC...");
	for (int i = 1; i < argc; i++)
		wrong += check(argv[i]);
	if (wrong)
		printf("%u things are not as they should be\n", wrong);
	return wrong != 0;
}
