/* SPDX-License-Identifier: Apache-2.0 */
#include "libraries.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own_folder.h"
#include "report_target.h"
#include "say.h"

#define SAID_BYTES 16384
/* What parts two names in LD_PRELOAD, or might, and what begins a variable. */
#define APART " \t\n:;$"
/* What parts them for the dynamic linker. */
#define BETWEEN " :"

static const char *const preloaded[] = { "libupa_mmap.so", "libupa_malloc.so", "libupa_blocks.so" };

static char *folder(void)
{
	return joined("%s/" UPA_LIBRARIES, own_folder());
}

bool libraries_has(const char *name)
{
	return access(joined("%s/%s", folder(), name), R_OK) == 0;
}

char *libraries_own(const char *name)
{
	char *path = joined("%s/%s", folder(), name);

	if (access(path, R_OK))
		say_and_exit(STATUS_FAILURE, "cannot read library=%s: %s: ./upa build makes it", path, strerror(errno));
	return path;
}

/* Its ends are no standard streams, also where those are closed: one of them is about to be replaced. */
static bool pipe_of_our_own(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC))
		return false;
	for (int i = 0; i < 2; i++) {
		int low = ends[i];

		if (low > STDERR_FILENO)
			continue;
		ends[i] = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		close(low);
	}
	if (ends[0] >= 0 && ends[1] >= 0)
		return true;
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return false;
}

char *libraries_probe(const char *preload, int descriptor)
{
	static char said[SAID_BYTES];
	const char *stats = getenv("UPA_STATS");
	struct report_target target;
	size_t length = 0;
	ssize_t n;
	int ends[2];
	pid_t pid;

	said[0] = 0;
	/* Under a limit of files or processes the program is run all the same, as it would be without UPA. */
	if (!pipe_of_our_own(ends))
		return said;
	if ((pid = fork()) < 0) {
		close(ends[0]);
		close(ends[1]);
		return said;
	}
	if (pid == 0) {
		setenv("LD_PRELOAD", preload, 1);
		setenv("UPA_TRACE", "", 1);
		/* What makes no sense stays, to be complained of. */
		if (!stats || report_target_parse(stats, &target))
			setenv("UPA_STATS", "0", 1);
		setenv("UPA_LAUNCHED", "0", 1);
		if (dup2(ends[1], descriptor) >= 0)
			execl("/bin/true", "true", (char *)NULL);
		_exit(STATUS_NOT_FOUND);
	}
	close(ends[1]);
	while (length < sizeof(said) - 1 &&
	       ((n = read(ends[0], said + length, sizeof(said) - 1 - length)) > 0 || (n < 0 && errno == EINTR)))
		length += n > 0 ? (size_t)n : 0;
	close(ends[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	while (length > 0 && said[length - 1] == '\n')
		length--;
	said[length] = 0;
	return said;
}

void libraries_check(const char *library)
{
	static const char before[] = "cannot be preloaded (";
	char *said, *reason, *end;

	if (access(library, R_OK))
		say_and_exit(STATUS_FAILURE, "cannot load malloc library=%s: cannot open shared object file: %s",
			     library, strerror(errno));
	said = libraries_probe(libraries_plain(library), 2);
	if (!*said)
		return;
	said[strcspn(said, "\n")] = 0;
	reason = strstr(said, before);
	if (reason && (end = strchr(reason, ')')))
		*end = 0;
	say_and_exit(STATUS_FAILURE, "cannot load malloc library=%s: %s", library,
		     reason ? reason + strlen(before) : said);
}

static int is_plain(const char *path)
{
	return path[strcspn(path, APART)] == 0;
}

/* A folder that nobody else can write to, made if need be. */
static int is_private(const char *folder)
{
	struct stat status;

	if (mkdir(folder, 0700) && errno != EEXIST)
		return 0;
	return !lstat(folder, &status) && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
	       !(status.st_mode & (S_IWGRP | S_IWOTH));
}

/* A name for the link that differs for each path: its hash, FNV-1a. */
static uint64_t hash(const char *text)
{
	uint64_t value = 14695981039346656037u;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 1099511628211u;
	return value;
}

static char *link_to(const char *parent, const char *target)
{
	char *folder = joined("%s/upa-%lu", parent, (unsigned long)geteuid()), *link, *fresh, now[4096];
	ssize_t length;

	if (!is_private(folder))
		return NULL;
	link = joined("%s/%016llx-%s", folder, (unsigned long long)hash(target), strrchr(target, '/') + 1);
	for (char *odd = link; *(odd += strcspn(odd, APART));)
		*odd = '-';
	length = readlink(link, now, sizeof(now) - 1);
	if (length >= 0 && (now[length] = 0, !strcmp(now, target)))
		return link;
	/* Another run may be making the same. */
	fresh = joined("%s.%ld", link, (long)getpid());
	unlink(fresh);
	if (symlink(target, fresh) || rename(fresh, link))
		return NULL;
	return link;
}

char *libraries_plain(const char *library)
{
	const char *parents[] = { getenv("XDG_RUNTIME_DIR"), "/tmp", "/var/tmp", "/dev/shm" };
	char *path = realpath(library, NULL), *link;

	if (!path)
		say_and_exit(STATUS_FAILURE, "cannot find library=%s: %s", library, strerror(errno));
	if (is_plain(path))
		return path;
	for (size_t i = 0; i < sizeof(parents) / sizeof(*parents); i++)
		if (parents[i] && *parents[i] == '/' && is_plain(parents[i]) && (link = link_to(parents[i], path)))
			return link;
	say_and_exit(STATUS_FAILURE,
		     "cannot preload library=%s: the dynamic linker takes no path with a space, a colon or a $, "
		     "and there is no folder of your own for a link: set XDG_RUNTIME_DIR",
		     path);
}

/* By its name, or that of a link to it (link_to). */
static bool is_preloaded_by_us(const char *path, size_t length)
{
	for (size_t i = 0; i < sizeof(preloaded) / sizeof(*preloaded); i++) {
		size_t own = strlen(preloaded[i]);

		if (length > own && !strncmp(path + length - own, preloaded[i], own) &&
		    strchr("/-", path[length - own - 1]))
			return true;
	}
	return false;
}

char *libraries_of_others(const char *preload)
{
	char *rest = joined("%s", "");
	bool any = false;

	for (size_t length; *(preload += strspn(preload, BETWEEN)); preload += length) {
		length = strcspn(preload, BETWEEN);
		if (is_preloaded_by_us(preload, length))
			any = true;
		else
			rest = joined("%s%s%.*s", rest, *rest ? ":" : "", (int)length, preload);
	}
	return any ? rest : NULL;
}
