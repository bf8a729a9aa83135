/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "pager_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

#define CONTROL ".control"
#define LOCK ".lock"

#define BACKLOG 128
#define CONNECT_SECONDS 10
#define LOCK_MILLIS 10000

/* ---- its name ------------------------------------------------------------------------------------ */

/* FNV-1a, 64 bits. */
static uint64_t mixed(uint64_t hash, const void *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3ull;
	return hash;
}

static uint64_t mixed_text(uint64_t hash, const char *text)
{
	return mixed(hash, text, strlen(text) + 1);
}

/* Which file it is, and when it was last changed. */
static uint64_t mixed_file(uint64_t hash, const char *path, bool time)
{
	struct stat s;
	uint64_t is[4] = { 0 };

	if (!stat(path, &s)) {
		is[0] = s.st_dev;
		is[1] = s.st_ino;
		is[2] = time ? (uint64_t)s.st_mtim.tv_sec : 0;
		is[3] = time ? (uint64_t)s.st_mtim.tv_nsec : 0;
	}
	return mixed(hash, is, sizeof(is));
}

/* The lines of a file that begin so, or have that in them. */
static uint64_t mixed_lines(uint64_t hash, const char *path, const char *begin, const char *within)
{
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	while (in && getline(&line, &room, in) > 0)
		if (!strncmp(line, begin, strlen(begin)) || (within && strstr(line, within)))
			hash = mixed_text(hash, line);
	free(line);
	if (in)
		fclose(in);
	return hash;
}

static uint64_t name_of(const char *start)
{
	static const char *const namespaces[] = { "pid", "mnt", "net", "user", "cgroup" };
	/* What a process may raise again goes up to these before a pager begins. */
	static const int limits[] = { RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_AS, RLIMIT_NOFILE };
	uint64_t hash = mixed_text(0xcbf29ce484222325ull, start);
	struct timespec now = { 0, 0 };
	struct rlimit limit;

	/* Without /proc it is not known who is like us: nobody. */
	if (access("/proc/self/ns/pid", F_OK)) {
		clock_gettime(CLOCK_REALTIME, &now);
		hash = mixed(hash, &now, sizeof(now));
	}

	hash = mixed_file(hash, start, true);
	hash = mixed_file(hash, "/", false);
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++) {
		char *path = joined("/proc/self/ns/%s", namespaces[i]);

		hash = mixed_file(hash, path, false);
		free(path);
	}
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		if (!getrlimit((__rlimit_resource_t)limits[i], &limit))
			hash = mixed(hash, &limit.rlim_max, sizeof(limit.rlim_max));
	hash = mixed_lines(hash, "/proc/self/status", "CapEff:", NULL);
	return mixed_lines(hash, "/proc/self/cgroup", "0::", ":memory:");
}

/* ---- its folder ---------------------------------------------------------------------------------- */

/* The same in upa.pager.live.PagerSocket. */
static char *folder_of_user(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct stat s;

	/* Root, as whom somebody else's environment came along, leaves nothing in that user's folder. */
	if (runtime && *runtime == '/' && !access(runtime, W_OK) && !stat(runtime, &s) && s.st_uid == geteuid())
		return joined("%s/upa", runtime);
	return joined("/tmp/upa-%u", (unsigned)geteuid());
}

static void make_folder(const char *folder)
{
	static const char none[] = "no place for the pager's socket";
	struct stat s;

	if (mkdir(folder, 0700) && errno != EEXIST)
		say_and_exit(STATUS_FAILURE, "%s: folder=%s: %s", none, folder, strerror(errno));
	if (lstat(folder, &s))
		say_and_exit(STATUS_FAILURE, "%s: folder=%s: %s", none, folder, strerror(errno));
	if (!S_ISDIR(s.st_mode))
		say_and_exit(STATUS_FAILURE, "%s: folder=%s is no folder: remove it", none, folder);
	if (s.st_uid != geteuid() || (s.st_mode & 07777) != 0700)
		say_and_exit(STATUS_FAILURE, "%s: folder=%s is not this user's alone: remove it", none, folder);
}

struct pager_place pager_place(const char *start)
{
	struct pager_place place = { .folder = folder_of_user(), .name = joined("%016" PRIx64, name_of(start)) };
	struct sockaddr_un address;

	place.control = joined("%s/%s" CONTROL, place.folder, place.name);
	/* That of a run is shorter. */
	if (strlen(place.control) + 4 > sizeof(address.sun_path))
		say_and_exit(STATUS_FAILURE, "no place for the pager's socket: path=%s is too long", place.control);
	make_folder(place.folder);
	return place;
}

/* ---- its files ----------------------------------------------------------------------------------- */

/* Locks a file that is there still when it has been locked. */
static int lock_file(const char *path, int how)
{
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat locked, there;

		if (fd < 0)
			return -1;
		if (flock(fd, how)) {
			bool again = errno == EINTR;

			close(fd);
			if (again)
				continue;
			return -1;
		}
		if (!fstat(fd, &locked) && !stat(path, &there) && locked.st_ino == there.st_ino)
			return fd;
		close(fd);
	}
}

int pager_place_lock(const struct pager_place *place)
{
	char *path = joined("%s/%s" LOCK, place->folder, place->name);
	int fd, error = 0;

	/* Whoever has it may be stopped. */
	for (int i = 0; (fd = lock_file(path, LOCK_EX | LOCK_NB)) < 0 && i < LOCK_MILLIS; i++) {
		error = errno;
		if (error != EWOULDBLOCK)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	free(path);
	return fd >= 0 ? fd : error == EWOULDBLOCK ? -ETIMEDOUT : -error;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, path, strnlen(path, sizeof(address.sun_path) - 1));
	return address;
}

int pager_place_connect(const char *control)
{
	struct sockaddr_un address = address_of(control);
	/* A pager that is stopped takes no more than the backlog. */
	struct timeval most = { .tv_sec = CONNECT_SECONDS };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), error;
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
	error = connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	if (!error && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		error = -errno;
	/* Nobody else's pager is told of anything. */
	if (!error && peer.uid != geteuid())
		error = -EPERM;
	if (error)
		close(fd);
	return error ? error : fd;
}

/* Who listens may be slow to accept: that is not waited for. */
static bool nobody_listens(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool nobody = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return nobody;
}

/* Removes sockets of a pager at which nobody listens, and its lock if it is another's. */
static void remove_files(const char *folder, const char *name, bool lock)
{
	size_t length = strlen(name);
	DIR *files = opendir(folder);

	for (struct dirent *entry; files && (entry = readdir(files));) {
		char *path;

		if (strncmp(entry->d_name, name, length) || entry->d_name[length] != '.')
			continue;
		path = joined("%s/%s", folder, entry->d_name);
		if (strcmp(entry->d_name + length, LOCK) ? nobody_listens(path) : lock)
			unlink(path);
		free(path);
	}
	if (files)
		closedir(files);
}

static int listen_at(const char *path, int flags)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0), error;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)) && !chmod(path, 0600) && !listen(fd, BACKLOG))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int pager_place_listen(const struct pager_place *place)
{
	remove_files(place->folder, place->name, false);
	return listen_at(place->control, 0);
}

char *pager_place_run(const struct pager_place *place, long pid)
{
	return joined("%s/%s.%ld", place->folder, place->name, pid);
}

int pager_place_listen_for_run(const char *path)
{
	if (nobody_listens(path))
		unlink(path);
	/* One pager may be about to end as the next one begins: neither waits for who is not there any more. */
	return listen_at(path, SOCK_NONBLOCK);
}

static bool is_gone(int error)
{
	return error == -ENOENT || error == -ECONNREFUSED;
}

void pager_place_clean(const struct pager_place *place)
{
	DIR *files = opendir(place->folder);

	for (struct dirent *entry; files && (entry = readdir(files));) {
		char *end = strstr(entry->d_name, LOCK), *name, *path;
		int lock, pager;

		if (!end || end[sizeof(LOCK) - 1] || !strncmp(entry->d_name, place->name, strlen(place->name)))
			continue;
		name = joined("%.*s", (int)(end - entry->d_name), entry->d_name);
		path = joined("%s/%s", place->folder, entry->d_name);
		lock = lock_file(path, LOCK_EX | LOCK_NB);
		free(path);
		path = joined("%s/%s" CONTROL, place->folder, name);
		pager = lock < 0 ? -EBUSY : pager_place_connect(path);
		if (is_gone(pager))
			remove_files(place->folder, name, true);
		if (pager >= 0)
			close(pager);
		if (lock >= 0)
			close(lock);
		free(path);
		free(name);
	}
	if (files)
		closedir(files);
}
