/* SPDX-License-Identifier: Apache-2.0 */
#include "trace_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"
#include "upa/trace.h"

/* What a program needs of it at once. */
#define FIRST_BYTES (256 << 10)
#define MAGIC_BYTES 7

/* A trace, or an empty file. */
static bool is_trace(const char *file)
{
	char magic[MAGIC_BYTES];
	struct stat status;
	ssize_t length;
	int fd;

	if (lstat(file, &status) || !S_ISREG(status.st_mode))
		return false;
	if (status.st_size == 0)
		return true;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, magic, sizeof(magic));
	if (fd >= 0)
		close(fd);
	return length == MAGIC_BYTES && !memcmp(magic, "UPATRAC", MAGIC_BYTES);
}

/* Whether a name in the same folder is the trace's, or that of a child: "trace" or "trace.4711". */
static bool is_of(const char *name, const char *trace)
{
	size_t length = strlen(trace);

	if (strncmp(name, trace, length))
		return false;
	name += length;
	if (!*name)
		return true;
	if (*name++ != '.' || !*name)
		return false;
	while (isdigit((unsigned char)*name))
		name++;
	return !*name;
}

static void remove_former(const char *folder, const char *name)
{
	DIR *files = opendir(folder);

	for (struct dirent *entry; files && (entry = readdir(files));) {
		char *path = joined("%s/%s", folder, entry->d_name);

		if (is_of(entry->d_name, name) && is_trace(path))
			unlink(path);
		free(path);
	}
	if (files)
		closedir(files);
}

char *trace_file_prepare(const char *file)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
	char *parent = !slash ? joined(".") : slash == file ? joined("/") : joined("%.*s", (int)(slash - file), file);
	char *folder = realpath(parent, NULL), *trace;
	struct stat status;
	int fd, error;

	if (!stat(file, &status) && S_ISDIR(status.st_mode))
		say_and_exit(STATUS_FAILURE, "cannot write trace file=%s: it is a directory", file);
	if (!folder || stat(folder, &status) || !S_ISDIR(status.st_mode) || !*name)
		say_and_exit(STATUS_FAILURE, "cannot write trace file=%s: there is no such directory", file);
	if (access(folder, W_OK))
		say_and_exit(STATUS_FAILURE, "cannot write trace file=%s: its directory is not writable", file);
	if (!lstat(file, &status) && !is_trace(file))
		say_and_exit(STATUS_FAILURE, "cannot write trace file=%s: it exists and is not a trace", file);
	remove_former(folder, name);
	trace = joined("%s/%s", strcmp(folder, "/") ? folder : "", name);
	fd = open(trace, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	error = fd < 0 ? errno : posix_fallocate(fd, 0, FIRST_BYTES);
	if (fd >= 0) {
		close(fd);
		unlink(trace);
	}
	if (error == ENOSPC || error == EDQUOT)
		say_and_exit(STATUS_FAILURE, "cannot write trace file=%s: no room for 256 KiB", file);
	if (error)
		say_and_exit(STATUS_FAILURE, "cannot write trace file=%s: %s", file, strerror(error));
	free(parent);
	free(folder);
	return trace;
}
