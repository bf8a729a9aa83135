/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "pager/client.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <upa/region.h>

#include "gate.h"
#include "os/message.h"
#include "os/os.h"
#include "pager/uffd.h"

#define PAGE 4096ul
#define STAGING_SLOTS 4096u /* emptied when they have all been used: that takes a lock of the whole address space */
#define TRIES 16            /* a move may be disturbed by other threads; or by an event, which is not over soon */

#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1u
#endif

struct client client = { .socket = -1, .uffd = -1 };

static int close_fd(int fd)
{
	return (int)os_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

/* ---- connecting ---------------------------------------------------------------------------------- */

static int map(char **out, size_t bytes, int flags, int fd)
{
	long made = os_mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (os_failed(made))
		return (int)made;
	*out = (char *)made;
	/* A forked child has no client. */
	return os_madvise(*out, bytes, MADV_DONTFORK);
}

/* The file and the staging area. A descriptor of the file, or -errno. */
static int make_memory(void)
{
	int fd = (int)os_call(SYS_memfd_create, (long)"upa-pager", MFD_CLOEXEC, 0, 0, 0, 0);
	int error = fd;

	if (fd >= 0)
		error = (int)os_call(SYS_ftruncate, fd, PAGER_FILE_BYTES, 0, 0, 0, 0);
	if (error >= 0)
		error = map(&client.file, PAGER_FILE_BYTES, MAP_SHARED, fd);
	if (error >= 0)
		error = map(&client.staging, STAGING_SLOTS * PAGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	if (error >= 0)
		os_madvise(client.staging, STAGING_SLOTS * PAGE, MADV_NOHUGEPAGE);
	if (error >= 0)
		error = uffd_register(client.uffd, client.staging, STAGING_SLOTS * PAGE);
	if (error < 0 && fd >= 0)
		close_fd(fd);
	return error < 0 ? error : fd;
}

static int say_hello(int file)
{
	struct pager_hello hello = {
		.magic = PAGER_MAGIC,
		.version = PAGER_VERSION,
		.pid = (uint32_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0),
		.base = (uintptr_t)client.region,
		.bytes = client.region_bytes,
	};
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec vector = { &hello, sizeof(hello) };
	struct msghdr m = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fds[2] = { client.uffd, file };
	long sent;

	/* The name that the program goes by: this thread's is its own. */
	os_call(SYS_prctl, PR_GET_NAME, (long)hello.name, 0, 0, 0, 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	sent = os_call(SYS_sendmsg, client.socket, (long)&m, MSG_NOSIGNAL, 0, 0, 0);
	return sent < 0 ? (int)sent : 0;
}

static int receive(struct pager_message *m)
{
	long n;

	do {
		n = os_call(SYS_recvfrom, client.socket, (long)m, sizeof(*m), 0, 0, 0);
	} while (n == -EINTR);
	return n == (long)sizeof(*m) ? 0 : n < 0 ? (int)n : -EPIPE;
}

/* Asks who listens: nobody else's pager gets this process's memory. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred peer = { 0, 0, 0 };
	socklen_t size = sizeof(peer);
	int error;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	client.socket = (int)os_call(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, 0, 0, 0);
	if (client.socket < 0)
		return client.socket;
	error = (int)os_call(SYS_connect, client.socket, (long)&address, sizeof(address), 0, 0, 0);
	if (!error)
		error = (int)os_call(SYS_getsockopt, client.socket, SOL_SOCKET, SO_PEERCRED, (long)&peer, (long)&size,
				     0);
	if (!error && peer.uid != (uid_t)os_call(SYS_geteuid, 0, 0, 0, 0, 0, 0))
		error = -EPERM;
	return error;
}

static int disconnect(int error)
{
	if (client.socket >= 0)
		close_fd(client.socket);
	if (client.uffd >= 0)
		close_fd(client.uffd);
	if (client.file)
		os_munmap(client.file, PAGER_FILE_BYTES);
	if (client.staging)
		os_munmap(client.staging, STAGING_SLOTS * PAGE);
	client.socket = client.uffd = -1;
	client.file = client.staging = NULL;
	return error;
}

int client_connect(const char *path, const char **what)
{
	struct pager_message welcome;
	int error, file;

	*what = "cannot reach the pager";
	error = connect_to(path);
	if (error)
		return disconnect(error);
	*what = "no userfaultfd with events, kernel faults and moves";
	client.uffd = uffd_open();
	if (client.uffd < 0)
		return disconnect(client.uffd);
	*what = "no memory to stage pages";
	file = make_memory();
	if (file < 0)
		return disconnect(file);
	*what = "the pager does not answer";
	error = say_hello(file);
	close_fd(file);
	if (!error)
		error = receive(&welcome);
	if (!error && welcome.kind != PAGER_WELCOME)
		error = -EPROTO;
	atomic_store(&client.bound, error ? 0 : welcome.argument);
	return error ? disconnect(error) : 0;
}

int client_say(uint32_t kind, uint32_t count, uint32_t ticket)
{
	struct pager_message m = { .kind = kind, .count = count, .ticket = ticket };
	long n;

	do {
		n = os_call(SYS_sendto, client.socket, (long)&m, sizeof(m), MSG_NOSIGNAL, 0, 0);
	} while (n == -EINTR);
	return n < 0 ? (int)n : 0;
}

/* ---- orders -------------------------------------------------------------------------------------- */

static uint32_t *order_pages(void)
{
	return (uint32_t *)(void *)(client.file + PAGER_PAGES_OFFSET);
}

static int32_t *results(void)
{
	return (int32_t *)(void *)(client.file + PAGER_RESULTS_OFFSET);
}

/* How many neighbours follow each other from page i of an order on. */
static uint32_t run_of(const uint32_t *pages, uint32_t i, uint32_t count)
{
	uint32_t n = 1;

	while (i + n < count && pages[i + n] == pages[i] + n)
		n++;
	return n;
}

/* Empties the staging area. Unregistered meanwhile: dropping memory is else an event, which nobody reads now. */
static int empty_staging(void)
{
	int error = uffd_unregister(client.uffd, client.staging, STAGING_SLOTS * PAGE);

	if (!error)
		error = os_madvise(client.staging, STAGING_SLOTS * PAGE, MADV_DONTNEED);
	if (!error)
		error = uffd_register(client.uffd, client.staging, STAGING_SLOTS * PAGE);
	client.used = error ? STAGING_SLOTS : 0;
	return error;
}

/* Moves neighbours to the staging area, from slot `to` on, and sets the result of each. */
static void move_run(uint32_t first, uint32_t n, uint32_t to, int32_t *result)
{
	uint32_t done = 0;
	int tries = 0;

	while (done < n) {
		long moved = uffd_move(client.uffd, client.staging + (to + done) * PAGE,
				       client.region + (first + done) * PAGE, (n - done) * PAGE);

		if (moved > 0) {
			for (uint32_t k = 0; k < (uint64_t)moved / PAGE; k++)
				result[done++] = 0;
			tries = 0;
		} else if (moved != -EAGAIN || ++tries == TRIES) {
			result[done++] = moved ? (int32_t)moved : -EAGAIN;
			tries = 0;
		}
	}
}

static void stage(uint32_t count)
{
	const uint32_t *pages = order_pages(), *slots = pages + PAGER_ORDER_PAGES;
	int32_t *result = results();
	uint32_t n;

	if (client.used + count > STAGING_SLOTS && empty_staging()) {
		for (uint32_t i = 0; i < count; i++)
			result[i] = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < count; i += n) {
		n = run_of(pages, i, count);
		move_run(pages[i], n, client.used + i, result + i);
	}
	for (uint32_t i = 0; i < count; i++)
		if (!result[i])
			memcpy(client.file + PAGER_STAGING_OFFSET + slots[i] * PAGE,
			       client.staging + (client.used + i) * PAGE, PAGE);
	client.used += count;
}

/* Faults on pages that are not there are the pager's to serve, as always: it does not wait for this order. */
static void unshare_pages(uint32_t count)
{
	const uint32_t *pages = order_pages();
	uint32_t n;

	for (uint32_t i = 0; i < count; i += n) {
		n = run_of(pages, i, count);
		os_madvise(client.region + pages[i] * PAGE, n * PAGE, MADV_POPULATE_WRITE);
	}
}

static uint32_t give_back(uint64_t keep)
{
	struct upa_region *region = gate_region();
	int64_t dropped = region ? upa_region_give_back(region, keep) : 0;

	return dropped > 0 ? (uint32_t)((uint64_t)dropped / PAGE) : 0;
}

/* Numbers come from another process. */
static bool in_range(uint32_t count)
{
	const uint32_t *pages = order_pages(), *slots = pages + PAGER_ORDER_PAGES;

	if (count > PAGER_ORDER_PAGES)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (pages[i] >= client.region_bytes / PAGE || slots[i] >= PAGER_STAGING_SLOTS)
			return false;
	return true;
}

static bool scan_in_range(const struct pager_message *m)
{
	uint64_t pages = client.region_bytes / PAGE;

	return m->count <= PAGER_SCAN_PAGES && m->argument <= pages && m->count <= pages - m->argument;
}

static void carry_out(const struct pager_message *m)
{
	uint32_t result = 0;

	switch (m->kind) {
	case PAGER_STAGE:
		if (in_range(m->count))
			stage(m->count);
		break;
	case PAGER_UNSHARE:
		if (in_range(m->count))
			unshare_pages(m->count);
		break;
	case PAGER_SCAN:
		if (!scan_in_range(m) || os_mincore(client.region + m->argument * PAGE, m->count * PAGE,
						    (unsigned char *)client.file + PAGER_PRESENT_OFFSET))
			result = 1;
		break;
	case PAGER_GIVE_BACK: result = give_back(m->argument); break;
	case PAGER_EVICTED: atomic_store(&client.evicted, m->argument != 0); return;
	case PAGER_GRANTED: pager_granted(m->ticket); return;
	case PAGER_WELCOME: atomic_store(&client.bound, m->argument); return;
	case PAGER_LEFT:
		atomic_store(&client.left, true);
		pager_left();
		return;
	default: break;
	}
	client_say(PAGER_DONE, result, 0);
}

/* ---- the end ------------------------------------------------------------------------------------- */

static void say(const char *what)
{
	struct message m = { .length = 0 };

	message_text(&m, "upa: pid=");
	message_number(&m, (uint64_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0), 0);
	message_text(&m, what);
	message_send(&m, 2);
}

/* With content that nobody can bring back, the program must not read on: what it would read are zeros. */
static void pager_is_gone(void)
{
	if (atomic_load(&client.evicted)) {
		say(": the pager is gone, and with it pages of this program, which is killed\n");
		os_call(SYS_kill, os_call(SYS_getpid, 0, 0, 0, 0, 0, 0), SIGKILL, 0, 0, 0, 0);
	}
	say(": the pager is gone: memory has no bound any more\n");
}

void client_execute(void)
{
	struct pager_message m;

	while (!atomic_load(&client.left) && !receive(&m))
		carry_out(&m);
	if (!atomic_load(&client.left))
		pager_is_gone();
	/* Closing ends all registrations: threads that wait for a page go on with what the kernel has, or zeros. */
	disconnect(0);
	pager_left();
}
