/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "say.h"

#define MOST_SCRIPTS 5 /* as the kernel */

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

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

/*
 * The next program in "#!interpreter argument"; env's is the first argument that is neither an option nor a variable.
 */
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

/*
 * Does the kernel start it with rights that its caller lacks? The dynamic linker then looks at nothing that the caller
 * says.
 */
static const char *secure(int fd)
{
	struct statvfs mount;
	struct stat st;

	if (fstat(fd, &st) || (!fstatvfs(fd, &mount) && mount.f_flag & ST_NOSUID))
		return NULL;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 &&
	    ((st.st_mode & S_ISUID && st.st_uid != getuid()) ||
	     (st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getgid())))
		return "it is set-user-id or set-group-id";
	if (getuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "it has file capabilities";
	return NULL;
}

static struct program_look none(enum program_kind kind, const char *why)
{
	return (struct program_look){ .kind = kind, .why = why };
}

/* Go's linker leaves a note of this name, whatever else the program is linked with. */
#define GO_NOTE "Go"

/* Parts of a note take whole words. */
static size_t filled_up(size_t bytes)
{
	return (bytes + 3) & ~(size_t)3;
}

static bool has_go_note(int fd, const Elf64_Phdr *part)
{
	char notes[4096];
	ssize_t n = pread(fd, notes, part->p_filesz < sizeof(notes) ? part->p_filesz : sizeof(notes),
			  (off_t)part->p_offset);
	size_t at = 0;

	while (n > 0 && at + sizeof(Elf64_Nhdr) + sizeof(GO_NOTE) <= (size_t)n) {
		Elf64_Nhdr note;

		memcpy(&note, notes + at, sizeof(note));
		at += sizeof(note);
		/* Go counts a byte that fills up. */
		if (note.n_namesz >= sizeof(GO_NOTE) && !memcmp(notes + at, GO_NOTE, sizeof(GO_NOTE)))
			return true;
		at += filled_up(note.n_namesz) + filled_up(note.n_descsz);
	}
	return false;
}

/* A dynamic linker loads what is preloaded into the program that it is told. It has a name, which programs have not. */
static bool has_name(int fd, const Elf64_Phdr *part)
{
	Elf64_Dyn entry = { .d_tag = DT_NULL };

	for (size_t at = 0; at + sizeof(entry) <= part->p_filesz; at += sizeof(entry)) {
		if (pread(fd, &entry, sizeof(entry), (off_t)(part->p_offset + at)) != sizeof(entry) ||
		    entry.d_tag == DT_NULL)
			return false;
		if (entry.d_tag == DT_SONAME)
			return true;
	}
	return false;
}

static struct program_look elf(int fd, const Elf64_Ehdr *header, const char *name)
{
	struct program_look look = { .kind = PROGRAM_UNKNOWN };
	char linker[4096] = "";
	const char *last, *why = secure(fd);
	bool named = false;

	if (why)
		return none(PROGRAM_UNREACHED, why);
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != MACHINE)
		return none(PROGRAM_FOREIGN, "it is for another processor than this library");
	for (int i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr part;

		if (pread(fd, &part, sizeof(part), (off_t)(header->e_phoff + (size_t)i * header->e_phentsize)) !=
		    sizeof(part))
			return look;
		if (part.p_type == PT_INTERP && part.p_filesz < sizeof(linker) &&
		    pread(fd, linker, part.p_filesz, (off_t)part.p_offset) != (ssize_t)part.p_filesz)
			return look;
		named = named || (part.p_type == PT_DYNAMIC && has_name(fd, &part));
		if (part.p_type == PT_NOTE && has_go_note(fd, &part))
			look.part = "Go's runtime asks the kernel itself, and only C libraries come to UPA";
	}
	if (!*linker && named)
		return look;
	if (!*linker)
		return none(PROGRAM_UNREACHED, "it is linked statically; what it starts may be served");
	last = strrchr(linker, '/');
	look.kind = strncmp(last ? last + 1 : linker, "ld-musl-", 8) ? PROGRAM_GLIBC : PROGRAM_MUSL;
	snprintf(look.name, sizeof(look.name), "%s", name);
	return look;
}

struct program_look program_look(const char *file)
{
	struct program_look look = { .kind = PROGRAM_UNKNOWN };
	char name[PROGRAM_NAME_BYTES];

	if ((size_t)snprintf(name, sizeof(name), "%s", file) >= sizeof(name))
		return look;
	for (int i = 0; i < MOST_SCRIPTS; i++) {
		int fd = open(name, O_RDONLY | O_CLOEXEC);
		union {
			Elf64_Ehdr header;
			char text[256];
		} start = { .text = "" };
		ssize_t n = fd < 0 ? -1 : pread(fd, &start, sizeof(start) - 1, 0);

		if (n >= (ssize_t)sizeof(start.header) && !memcmp(start.text, ELFMAG, SELFMAG)) {
			look = elf(fd, &start.header, name);
			close(fd);
			return look;
		}
		if (fd >= 0)
			close(fd);
		if (n < 3 || memcmp(start.text, "#!", 2))
			break;
		start.text[strcspn(start.text, "\n")] = 0;
		if (!interpreter(start.text, name, sizeof(name)))
			break;
	}
	return look;
}

static bool can_be_executed(const char *path)
{
	struct stat status;

	return !stat(path, &status) && S_ISREG(status.st_mode) && !access(path, X_OK);
}

/* An empty entry of PATH is the current folder. */
static char *search(const char *name)
{
	const char *path = getenv("PATH");

	for (path = path ? path : "/usr/local/bin:/bin:/usr/bin"; path;) {
		const char *end = strchrnul(path, ':');
		char *candidate = end == path ? joined("./%s", name) : joined("%.*s/%s", (int)(end - path), path, name);

		if (can_be_executed(candidate))
			return candidate;
		free(candidate);
		path = *end ? end + 1 : NULL;
	}
	return NULL;
}

char *program_find(const char *name)
{
	char *path = strchr(name, '/') ? joined("%s", name) : *name ? search(name) : NULL;

	if (!path && can_be_executed(name))
		say_and_exit(STATUS_NOT_FOUND, "there is no program=%s in PATH: the one here is ./%s", name, name);
	if (!path || access(path, F_OK))
		say_and_exit(STATUS_NOT_FOUND, "there is no program=%s", name);
	if (!can_be_executed(path))
		say_and_exit(STATUS_NOT_EXECUTABLE, "cannot execute program=%s", name);
	return path;
}
