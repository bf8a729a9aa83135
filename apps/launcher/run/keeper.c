/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define LISTENER 3 /* as upa.tools.policy.ServeCommand */

#define MOST_REQUEST_BYTES 65536 /* as upa.pager.live.Pager */
#define MOST_ANSWER_BYTES 65536
#define ANSWER_SECONDS 60 /* a store on a network may take its time */
#define PATIENT_SECONDS 5 /* until the user hears of it */

/* Pagers that may die before they answer, one after the other: to be killed is no failure of theirs. */
#define FIRST_TRIES 8  /* for a run that has not begun */
#define MOST_TRIES 100 /* for one that needs it */
#define QUICK_TRIES 16 /* that die at once, until the next is not tried at once */
#define QUICK_SECONDS 2

struct keeper {
	const struct keeper_request *request;
	char *places; /* those of its stores, as the pager has said */
	/*
	 * The socket at which the run's processes find a pager. It is the keeper's: who comes when a pager has died is
	 * there for the next, however long that takes to start, and is told by the end of this socket that none comes.
	 */
	char *path;
	int listener;
	int out;
	pid_t started; /* the pager that this has started last, or 0 */
	int said;      /* what that has said before it ran, or -1 */
};

static _Noreturn void fail(const struct keeper *k, int status, const char *line)
{
	if (k->listener >= 0)
		unlink(k->path);
	if (k->out >= 0)
		dprintf(k->out, "failed %d\n%s", status, line);
	else
		say("%s", line);
	_exit(status);
}

/* ---- a pager ------------------------------------------------------------------------------------- */

/* What the run that starts it is bound by is not for all others: as far as a process may change that. */
static void unbind(void)
{
	static const int limits[] = { RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_AS };
	struct rlimit limit;
	cpu_set_t all;

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		if (!getrlimit((__rlimit_resource_t)limits[i], &limit)) {
			limit.rlim_cur = limit.rlim_max;
			setrlimit((__rlimit_resource_t)limits[i], &limit);
		}
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
}

/* Becomes the pager. Of the environment it gets what a virtual machine needs: it is not this run's alone. */
static _Noreturn void become_pager(const struct keeper_request *request, int listener, int said)
{
	static const char *const names[] = { "PATH", "HOME", "LD_LIBRARY_PATH" };
	char *arguments[] = { (char *)request->start, "--control", request->place.control, NULL };
	/* Names of files are bytes to all runs; this locale can say them whatever the others are. */
	char *environment[sizeof(names) / sizeof(*names) + 2] = { "LC_ALL=C.UTF-8" };
	size_t count = 1;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = getenv(names[i]);

		if (value)
			environment[count++] = joined("%s=%s", names[i], value);
	}
	unbind();
	if ((said >= 0 && dup2(said, STDERR_FILENO) < 0) || dup2(listener, LISTENER) < 0)
		_exit(STATUS_FAILURE);
	if (listener == LISTENER)
		fcntl(LISTENER, F_SETFD, 0);
	syscall(SYS_close_range, LISTENER + 1, ~0u, 0);
	execve(request->start, arguments, environment);
	say("cannot start the pager: %s: %s", request->start, strerror(errno));
	_exit(STATUS_FAILURE);
}

/* Somebody may have removed the socket. */
static void listen_for_run(struct keeper *k)
{
	int fd;

	if (k->listener >= 0 && !access(k->path, F_OK))
		return;
	fd = pager_place_listen_for_run(k->path);
	if (fd >= 0) {
		if (k->listener >= 0)
			close(k->listener);
		k->listener = fd;
	} else if (k->listener < 0) {
		fail(k, STATUS_FAILURE,
		     fd == -EADDRINUSE ?
			     joined("there is a pager for pid=%ld already", k->request->pid) :
			     joined("no place for the pager's socket: path=%s: %s", k->path, strerror(-fd)));
	}
}

/*
 * Connects to the pager, or to one that it starts. The socket listens from now on: whoever comes meanwhile waits there.
 * A descriptor or -errno.
 */
static int reach_pager(struct keeper *k)
{
	const struct keeper_request *request = k->request;
	int lock, fd, listener;

	if (k->said >= 0)
		close(k->said);
	k->said = -1;
	k->started = 0;

	/* Whoever tidies up may have thought it forgotten. */
	mkdir(request->place.folder, 0700);
	lock = pager_place_lock(&request->place);
	if (lock < 0)
		return lock;
	fd = pager_place_connect(request->place.control);
	if (fd == -ENOENT || fd == -ECONNREFUSED) {
		pid_t pid = -1;

		pager_place_clean(&request->place);
		listener = pager_place_listen(&request->place);
		/* One line of it is enough, and none if another is started instead. */
		k->said = (int)syscall(SYS_memfd_create, "upa-said", MFD_CLOEXEC);
		if (listener >= 0)
			pid = fork();
		if (!pid)
			become_pager(request, listener, k->said);
		k->started = pid < 0 ? 0 : pid;
		fd = listener < 0 ? listener : pid < 0 ? -errno : pager_place_connect(request->place.control);
		if (listener >= 0)
			close(listener);
	}
	if (fd >= 0)
		listen_for_run(k);
	close(lock);
	return fd;
}

/* The first line of what the pager has said that this has started, if it has ended by itself, or NULL. */
static char *why_it_ended(const struct keeper *k)
{
	char text[1024];
	int status = 0;
	pid_t ended = 0;
	ssize_t n;

	/* Its connection may have gone a moment before. */
	for (int i = 0; k->started && !ended && i < 100; i++) {
		ended = waitpid(k->started, &status, WNOHANG);
		if (!ended)
			nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	if (ended <= 0 || !WIFEXITED(status) || !WEXITSTATUS(status))
		return NULL;
	n = k->said < 0 ? 0 : pread(k->said, text, sizeof(text) - 1, 0);
	/* One that has run says what it has to say in another way. */
	if (n <= 0)
		return NULL;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	return joined("%s", text);
}

/* ---- its answers --------------------------------------------------------------------------------- */

static size_t append(char *to, size_t at, const char *text)
{
	size_t bytes = strlen(text) + 1;

	if (at + bytes <= MOST_REQUEST_BYTES)
		memcpy(to + at, text, bytes);
	return at + bytes;
}

/* Sends what is asked, with standard error, the process and the run's socket. */
static bool ask(const struct keeper *k, int pager)
{
	static char text[MOST_REQUEST_BYTES];
	const struct keeper_request *r = k->request;
	char pid[24];
	const char *const fields[] = { "run", pid, r->policy, r->memory, r->store, r->folder, k->places };
	int fds[] = { STDERR_FILENO, r->process, k->listener };
	union {
		char bytes[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec vector = { text, 0 };
	struct msghdr m = { .msg_iov = &vector,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };

	snprintf(pid, sizeof(pid), "%ld", r->pid);
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		vector.iov_len = append(text, vector.iov_len, fields[i]);
	if (vector.iov_len > MOST_REQUEST_BYTES)
		fail(k, STATUS_USAGE, "too long for a pager: the text of --policy and --store");
	control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(fds)),
					  .cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.align), fds, sizeof(fds));
	return sendmsg(pager, &m, MSG_NOSIGNAL) >= 0;
}

static void wait_most(int pager, int seconds)
{
	struct timeval most = { .tv_sec = seconds };

	setsockopt(pager, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
}

/* A message, which ends with a zero byte then. Its bytes, or 0 if the pager has died; -1 if it does not answer. */
static ssize_t hear(int pager, char *text)
{
	ssize_t n;

	do {
		n = recv(pager, text, MOST_ANSWER_BYTES - 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -1 : 0;
	text[n] = 0;
	return n;
}

/* The field behind one of an answer. */
static const char *next_field(const char *field, const char *end)
{
	field += strlen(field) + 1;
	return field < end ? field : "";
}

/* Has the run paged, and waits until it is over: then this ends. False: the pager has died before it answered. */
static bool serve(struct keeper *k, int pager)
{
	static char answer[MOST_ANSWER_BYTES];
	const char *second;
	ssize_t n;

	wait_most(pager, k->out < 0 ? 0 : PATIENT_SECONDS);
	n = ask(k, pager) ? hear(pager, answer) : 0;
	if (n < 0) {
		/* One that it has started itself may be about to begin. */
		if (!k->started)
			say("waiting for a pager that has not answered yet, as one that is stopped: socket=%s",
			    k->request->place.control);
		wait_most(pager, ANSWER_SECONDS - PATIENT_SECONDS);
		n = hear(pager, answer);
	}
	if (n < 0)
		fail(k, STATUS_FAILURE,
		     joined("a pager does not answer, as one that is stopped: socket=%s", k->request->place.control));
	if (!n)
		return false;
	second = next_field(answer, answer + n);
	if (strcmp(answer, "ready"))
		fail(k, !strcmp(answer, "failed") ? atoi(second) : STATUS_FAILURE, next_field(second, answer + n));
	if (k->out >= 0) {
		k->places = joined("%s", second);
		dprintf(k->out, "ready %s\n", k->path);
		close(k->out);
		k->out = -1;
	}
	wait_most(pager, 0);
	if (hear(pager, answer) > 0)
		_exit(0);
	return true;
}

void keeper_run(const struct keeper_request *request, int out)
{
	struct keeper k = { .request = request,
			    .places = "",
			    .path = pager_place_run(&request->place, request->pid),
			    .listener = -1,
			    .out = out,
			    .said = -1 };
	char *why = NULL;

	signal(SIGCHLD, SIG_DFL);
	for (int silent = 0, quick = 0; silent < (k.out >= 0 ? FIRST_TRIES : MOST_TRIES);) {
		struct timespec begun, now;
		int pager;

		clock_gettime(CLOCK_MONOTONIC, &begun);
		pager = reach_pager(&k);
		if (pager < 0 && k.out >= 0)
			fail(&k, STATUS_FAILURE,
			     joined("cannot reach the pager in folder=%s: %s", request->place.folder,
				    strerror(-pager)));
		silent = pager >= 0 && serve(&k, pager) ? 0 : silent + 1;
		if (pager >= 0)
			close(pager);
		why = why_it_ended(&k);
		/* The next would do the same. */
		if (why && silent && k.out >= 0)
			fail(&k, STATUS_FAILURE, joined("the pager cannot start: %s", why));
		clock_gettime(CLOCK_MONOTONIC, &now);
		quick = now.tv_sec - begun.tv_sec < QUICK_SECONDS ? quick + 1 : 0;
		if (quick > QUICK_TRIES)
			nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
	}
	if (k.out >= 0)
		fail(&k, STATUS_FAILURE, "the pager has died before it could begin");
	fail(&k, STATUS_FAILURE, why ? joined("no pager stays alive: %s", why) : "no pager stays alive");
}
