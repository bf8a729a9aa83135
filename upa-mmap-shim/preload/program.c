/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upa-program FILE: what will become of LD_PRELOAD in a program, for `upa run`, told by its file alone. Prints a word, and more:
 *
 *   glibc NAME, musl NAME   the dynamic linker that the libraries will meet, and the executable: FILE, or what "#!" in it names
 *   none WHY                the libraries will not be loaded, and why
 *   unknown                 nothing is known against it
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MOST_SCRIPTS 5 /* as the kernel */

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

static int answer(const char *kind, const char *text)
{
	printf("%s%s%s\n", kind, *text ? " " : "", text);
	return 0;
}

/* Where the shell would find it; false if nowhere. */
static bool in_path(const char *name, char *out, size_t room)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return (size_t)snprintf(out, room, "%s", name) < room;
	while (path && *path) {
		int length = (int)strcspn(path, ":");

		if ((size_t)snprintf(out, room, "%.*s/%s", length, path, name) < room && !access(out, X_OK))
			return true;
		path += length + (path[length] == ':');
	}
	return false;
}

/* The next program in "#!interpreter argument"; env's is the first argument that is neither an option nor a variable. */
static bool interpreter(char *line, char *out, size_t room)
{
	char *rest, *word = strtok_r(line + 2, " \t", &rest);
	const char *last;

	if (!word)
		return false;
	last = strrchr(word, '/');
	if (!strcmp(last ? last + 1 : word, "env")) {
		while ((word = strtok_r(NULL, " \t", &rest)) && (*word == '-' || strchr(word, '=')))
			;
		return word && in_path(word, out, room);
	}
	return (size_t)snprintf(out, room, "%s", word) < room;
}

/* Does the kernel start it with rights that its caller lacks? The dynamic linker then looks at nothing that the caller says. */
static const char *secure(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	if ((st.st_mode & S_ISUID && st.st_uid != getuid()) || (st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getgid()))
		return "it is set-user-id or set-group-id";
	if (getuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "it has file capabilities";
	return NULL;
}

static int elf(int fd, const Elf64_Ehdr *header, const char *name)
{
	char linker[4096] = "";
	const char *last, *why = secure(fd);

	if (why)
		return answer("none", why);
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != MACHINE)
		return answer("none", "it is for another processor than this library");
	for (int i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr part;

		if (pread(fd, &part, sizeof(part), (off_t)(header->e_phoff + (size_t)i * header->e_phentsize)) != sizeof(part))
			return answer("unknown", "");
		if (part.p_type == PT_INTERP && part.p_filesz < sizeof(linker) &&
		    pread(fd, linker, part.p_filesz, (off_t)part.p_offset) != (ssize_t)part.p_filesz)
			return answer("unknown", "");
	}
	if (!*linker)
		return answer("none", "it is linked statically");
	last = strrchr(linker, '/');
	return answer(strncmp(last ? last + 1 : linker, "ld-musl-", 8) ? "glibc" : "musl", name);
}

int main(int argc, char **argv)
{
	char name[4096];

	if (argc != 2 || strlen(argv[1]) >= sizeof(name)) {
		fprintf(stderr, "usage: upa-program FILE\n");
		return 2;
	}
	strcpy(name, argv[1]);
	for (int i = 0; i < MOST_SCRIPTS; i++) {
		int fd = open(name, O_RDONLY | O_CLOEXEC);
		union {
			Elf64_Ehdr header;
			char text[256];
		} start = { .text = "" };
		ssize_t n = fd < 0 ? -1 : pread(fd, &start, sizeof(start) - 1, 0);

		if (n >= (ssize_t)sizeof(start.header) && !memcmp(start.text, ELFMAG, SELFMAG))
			return elf(fd, &start.header, name);
		if (fd >= 0)
			close(fd);
		if (n < 3 || memcmp(start.text, "#!", 2))
			break;
		start.text[strcspn(start.text, "\n")] = 0;
		if (!interpreter(start.text, name, sizeof(name)))
			break;
	}
	return answer("unknown", "");
}
