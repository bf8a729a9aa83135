/* SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "observe/rest.h"
#include "say.h"

#define REST_NAME "upa-stats-"

/*
 * What the program writes to, or a pipe, is none: tables would be written over what it has written, and every process
 * opens the file anew.
 */
static void check_target(const char *file)
{
	static const char *const streams[] = { "input", "output", "error" };
	struct stat target, stream;

	if (stat(file, &target))
		return;
	if (S_ISFIFO(target.st_mode) || S_ISSOCK(target.st_mode))
		say_and_exit(STATUS_FAILURE, "cannot write statistics file=%s: it is a pipe or a socket", file);
	for (int fd = 0; fd < 3 && S_ISREG(target.st_mode); fd++)
		if (!fstat(fd, &stream) && stream.st_dev == target.st_dev && stream.st_ino == target.st_ino)
			say_and_exit(STATUS_FAILURE,
				     "cannot write statistics file=%s: it is the standard %s of the program", file,
				     streams[fd]);
}

char *stats_target(const char *target)
{
	static const char json[] = "json";
	size_t length = strlen(json);
	const char *file = target;
	char *path;
	int fd;

	if (!target)
		return joined("1");
	if (!strcmp(target, json))
		return joined("%s", json);
	if (!strncmp(target, json, length) && target[length] == ':')
		file += length + 1;
	if (!*file)
		say_and_exit(STATUS_USAGE,
			     "option --stats needs json, json:FILE or FILE behind the =, if there is one");
	check_target(file);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		say_and_exit(STATUS_FAILURE, "cannot write statistics file=%s: %s", file, strerror(errno));
	close(fd);
	path = realpath(file, NULL);
	if (!path)
		say_and_exit(STATUS_FAILURE, "cannot write statistics file=%s: %s", file, strerror(errno));
	return joined("%s%s", file == target ? "" : "json:", path);
}

/* Programs that were killed leave theirs behind. */
static void remove_old(const char *folder)
{
	DIR *files = opendir(folder);

	for (struct dirent *entry; files && (entry = readdir(files));) {
		bool is_ours = !strncmp(entry->d_name, REST_NAME, strlen(REST_NAME));
		long process = is_ours ? atol(entry->d_name + strlen(REST_NAME)) : 0;
		struct stat status;
		char *path;

		if (process <= 0 || !kill((pid_t)process, 0) || errno != ESRCH)
			continue;
		path = joined("%s/%s", folder, entry->d_name);
		if (!lstat(path, &status) && S_ISREG(status.st_mode) && status.st_uid == geteuid())
			unlink(path);
		free(path);
	}
	if (files)
		closedir(files);
}

char *stats_rest(void)
{
	const char *folders[] = { "/dev/shm", getenv("XDG_RUNTIME_DIR"), "/tmp" };
	struct upa_rest rest = { 0 };
	struct stat error;

	if (fstat(STDERR_FILENO, &error))
		return NULL;
	rest.device = error.st_dev;
	rest.inode = error.st_ino;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		char *path;
		int fd;

		if (!folders[i] || *folders[i] != '/')
			continue;
		remove_old(folders[i]);
		path = joined("%s/" REST_NAME "%ld-XXXXXX", folders[i], (long)getpid());
		fd = mkostemp(path, O_CLOEXEC);
		if (fd < 0)
			continue;
		if (write(fd, &rest, sizeof(rest)) == sizeof(rest)) {
			close(fd);
			return path;
		}
		close(fd);
		unlink(path);
	}
	return NULL;
}
