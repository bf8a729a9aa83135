/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admitting pagers, and revoking their right. Over a socket:
 *
 *   > text: "region 1", then lines memory=BYTES, policy=NAME, stores=LIST, pid=NUMBER
 *   < 8 bytes: 0, or an errno
 *   > 9 numbers of 8 bytes, with descriptors: see upa.pager.device.DeviceRegion
 *   < 8 bytes, the index of a store, with a descriptor that is kept for the next pager: any number of these
 *   < 8 bytes, all ones: it is at work; stores may follow
 *
 * The socket stays open as long as the pager may say more. What it says without a thread that waits for it, as where
 * nobody is to follow, is read at the next admission.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "os/signals.h"
#include "region/backend.h"
#include "region/device/device.h"
#include "region/device/paged.h"

#define MAGIC 0x3145474150415055ull /* the bytes "UPAPAGE1" */
#define AT_WORK (~0ull)
#define LEAST_MEMORY (1ull << 20)
#define ANSWER_MILLIS 60000
#define START_MILLIS 60000
#define AGAIN_MILLIS 100

#if defined(__PIC__) && !defined(__PIE__)
/* In a library: as they are called since glibc 2.2.5 or 2.17; before 2.34 only programs with threads have them. */
#ifdef __x86_64__
#define FIRST "GLIBC_2.2.5"
#else
#define FIRST "GLIBC_2.17"
#endif
extern __typeof__(pthread_create) thread_create __attribute__((weak));
extern __typeof__(pthread_join) thread_join __attribute__((weak));
__asm__(".symver thread_create,pthread_create@" FIRST "\n.symver thread_join,pthread_join@" FIRST);

static bool has_threads(void)
{
	return thread_create && thread_join;
}
#else
#define thread_create pthread_create
#define thread_join pthread_join

static bool has_threads(void)
{
	return true;
}
#endif

static uid_t user(void)
{
	return (uid_t)os_call(SYS_geteuid, 0, 0, 0, 0, 0, 0);
}

/* ---- messages ----------------------------------------------------------------------------------- */

union descriptors {
	char bytes[CMSG_SPACE((2 + PAGED_STORES) * sizeof(int))];
	struct cmsghdr header;
};

static int send_with(int socket, const void *data, size_t bytes, const int *fds, int n)
{
	union descriptors control = { { 0 } };
	struct iovec v = { (void *)(uintptr_t)data, bytes };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (n) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, (size_t)n * sizeof(int));
	}
	return sendmsg(socket, &m, MSG_NOSIGNAL) == (ssize_t)bytes ? 0 : errno ? -errno : -EIO;
}

/* Waits for a message or a hang-up, unless the owner wants an end. 0 or -errno. */
static int wait_for(const struct device_paging *p, int socket, int millis)
{
	struct pollfd both[2] = { { .fd = socket, .events = POLLIN }, { .fd = p->stop, .events = POLLIN } };
	int n;

	do
		n = poll(both, 2, millis);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return both[1].revents ? -ECANCELED : n ? 0 : -ETIMEDOUT;
}

/* One number of the pager's, and what comes with it. 1; 0: there is none now; -errno: it has gone, or is no pager. */
static int receive(struct device_paging *p, int socket, uint64_t *number)
{
	union descriptors control;
	struct iovec v = { number, sizeof(*number) };
	struct msghdr m = {
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL;
	int fds[2 + PAGED_STORES], count = 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), (size_t)count * sizeof(int));
	}
	for (int i = 0; i < count; i++) {
		bool keeps = !i && n == sizeof(*number) && *number < PAGED_STORES;

		if (keeps && p->kept[*number] >= 0)
			close(p->kept[*number]);
		if (keeps)
			p->kept[*number] = fds[i];
		else
			close(fds[i]);
	}
	return n == sizeof(*number) ? 1 : n ? -EPROTO : -ECONNRESET;
}

/* What the pager has said since: 0, or -errno once it has gone. */
static int drain(struct device_paging *p)
{
	uint64_t number;
	int got;

	do
		got = receive(p, p->socket, &number);
	while (got > 0);
	return got;
}

/* ---- one admission ------------------------------------------------------------------------------ */

static int check_peer(int socket)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes))
		return -errno;
	/* Root could do so anyway. */
	return peer.uid == user() || !peer.uid ? 0 : -EPERM;
}

static int connect_to(const struct sockaddr_un *path)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)path, sizeof(*path)))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static uint32_t admit_flags(const struct device_paging *p)
{
	return p->flags & UPA_ADMIT_WAIT ? UPADEV_PAGER_WAIT : 0;
}

/* A pager's descriptor, which has no other copy. That of one that was killed just now may be open for a moment. */
static int new_pager(const struct upa_region *r)
{
	struct upadev_pager request = { .flags = admit_flags(r->device->paging) };
	struct timespec moment = { .tv_nsec = 1000000 };
	int pager;

	for (int tries = 0; tries < 1000; tries++) {
		pager = upa_device_call(r->device, UPADEV_ADMIT, &request);
		if (pager != -EBUSY)
			break;
		nanosleep(&moment, NULL);
	}
	return pager;
}

/* Tells a pager all it needs. */
static int greet(struct upa_region *r, int socket)
{
	struct device_region *d = r->device;
	struct device_paging *p = d->paging;
	uint64_t greeting[9] = { MAGIC,
				 r->llfree.pages,
				 d->max_frames,
				 d->state_bytes,
				 p->bits_offset,
				 p->header_offset,
				 p->places_offset,
				 p->kept_offset,
				 0 };
	int fds[2 + PAGED_STORES] = { new_pager(r), d->fd }, n = 2;
	int error = fds[0] < 0 ? fds[0] : 0;
	uint64_t before;

	if (error)
		return error;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	for (uint32_t s = 0; s < PAGED_STORES; s++) {
		if (p->kept[s] >= 0) {
			fds[n++] = p->kept[s];
			greeting[8] |= 1ull << s;
		}
	}
	/* A handler that unmaps would wait for ever. */
	before = os_block_signals(OS_THREAD_SIGNALS);
	error = upa_paged_exclude(p) ? 0 : -EBUSY;
	if (!error) {
		error = upa_paged_mend(r);
		upa_paged_include(p);
	}
	os_block_signals(before);
	if (!error)
		error = send_with(socket, greeting, sizeof(greeting), fds, n);
	close(fds[0]);
	return error;
}

/* Of a pager at the other end of a socket. The socket becomes the region's once it is admitted. 0 or -errno. */
static int admit_one(struct upa_region *r, int socket)
{
	struct device_paging *p = r->device->paging;
	uint64_t answer = 0;
	int error = check_peer(socket), got = 0;

	if (!error)
		error = send_with(socket, p->request, p->request_bytes, NULL, 0);
	if (!error)
		error = wait_for(p, socket, ANSWER_MILLIS);
	if (!error)
		got = receive(p, socket, &answer);
	if (!error && (got <= 0 || answer > 4095))
		error = -EPROTO;
	if (!error)
		error = -(int)answer;
	if (!error && p->socket >= 0) {
		drain(p);
		close(p->socket);
		p->socket = -1;
	}
	if (!error)
		error = greet(r, socket);
	if (error)
		return error;
	p->socket = socket;
	do {
		error = wait_for(p, socket, START_MILLIS);
		got = error ? error : receive(p, socket, &answer);
	} while (got >= 0 && !(got && answer == AT_WORK));
	if (got > 0)
		return 0;
	/* Whatever it is doing. */
	upa_device_call(r->device, UPADEV_REVOKE, &(struct upadev_pager){ .flags = admit_flags(p) });
	return got == -ECONNRESET ? -EIO : got;
}

/* ---- the next one ------------------------------------------------------------------------------- */

/* False if the owner wants an end. */
static bool nap(const struct device_paging *p)
{
	struct pollfd stop = { .fd = p->stop, .events = POLLIN };

	return poll(&stop, 1, AGAIN_MILLIS) <= 0;
}

/* Admits whoever listens next. False if the owner wants an end. */
static bool follow(struct upa_region *r)
{
	struct device_paging *p = r->device->paging;

	do {
		int socket = connect_to(&p->path);

		if (socket >= 0 && !admit_one(r, socket))
			return true;
		if (socket >= 0 && p->socket != socket)
			close(socket);
	} while (nap(p));
	return false;
}

/* Waits for the end of the pager, then for another. */
static void *watch(void *region)
{
	struct upa_region *r = region;
	struct device_paging *p = r->device->paging;
	bool goes_on = true;

	while (goes_on) {
		int error = wait_for(p, p->socket, -1);

		if (error == -ECANCELED)
			break;
		if (error || drain(p))
			goes_on = follow(r);
	}
	return NULL;
}

static int start_watching(struct upa_region *r)
{
	struct device_paging *p = r->device->paging;
	uint64_t before;
	int error;

	if (!has_threads())
		return -ENOSYS;
	before = os_block_signals(OS_THREAD_SIGNALS);
	error = -thread_create(&p->watcher, NULL, watch, r);
	os_block_signals(before);
	p->watched = !error;
	return error;
}

static void stop_watching(struct device_paging *p)
{
	if (p->watched) {
		eventfd_write(p->stop, 1);
		thread_join(p->watcher, NULL);
	}
	p->watched = false;
}

static void end(struct upa_region *r)
{
	struct device_paging *p = r->device->paging;

	stop_watching(p);
	for (uint32_t s = 0; s < PAGED_STORES; s++)
		if (p->kept[s] >= 0)
			close(p->kept[s]);
	if (p->socket >= 0)
		close(p->socket);
	if (p->stop >= 0)
		close(p->stop);
}

/* ---- what is asked for -------------------------------------------------------------------------- */

static bool is_own(const char *folder)
{
	struct stat st;

	return !os_call(SYS_newfstatat, AT_FDCWD, (long)folder, (long)&st, 0, 0, 0) && st.st_uid == user();
}

/* Where `upa pager --regions` listens. */
static int default_path(struct sockaddr_un *path)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int n;

	/* Root, as whom somebody else's environment came along, has a folder of its own. */
	if (runtime && *runtime == '/' && is_own(runtime))
		n = snprintf(path->sun_path, sizeof(path->sun_path), "%s/upa/regions.control", runtime);
	else
		n = snprintf(path->sun_path, sizeof(path->sun_path), "/tmp/upa-%u/regions.control", user());
	return n < (int)sizeof(path->sun_path) ? 0 : -EINVAL;
}

static int set_path(struct device_paging *p, const char *path)
{
	p->path = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!path)
		return default_path(&p->path);
	if (!*path || strlen(path) >= sizeof(p->path.sun_path))
		return -EINVAL;
	strcpy(p->path.sun_path, path);
	return 0;
}

/* A line of the request, which must stay one. Nothing if there is no value. False if it cannot be. */
static bool add_line(struct device_paging *p, const char *name, const char *value)
{
	size_t room = sizeof(p->request) - p->request_bytes;
	int n = value ? snprintf(p->request + p->request_bytes, room, "%s=%s\n", name, value) : 0;

	if (n < 0 || (size_t)n >= room || (value && (!*value || strchr(value, '\n'))))
		return false;
	p->request_bytes += (size_t)n;
	return true;
}

static int set_terms(struct device_paging *p, const struct upa_region_terms *t)
{
	char memory[24], pid[12];

	snprintf(memory, sizeof(memory), "%llu", (unsigned long long)t->memory_bytes);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	p->request_bytes = (size_t)snprintf(p->request, sizeof(p->request), "region 1\n");
	if (t->flags & ~UPA_ADMIT_WAIT || t->memory_bytes < LEAST_MEMORY || !add_line(p, "memory", memory) ||
	    !add_line(p, "policy", t->policy) || !add_line(p, "stores", t->stores) || !add_line(p, "pid", pid))
		return -EINVAL;
	p->flags = t->flags;
	return 0;
}

/* The caller alone admits and revokes from now on, and there is no thread that does. 0 or -errno. */
static int begin(struct upa_region *r)
{
	struct device_paging *p;
	int nobody = 0;

	if (r->backend != &upa_paged)
		return -EOPNOTSUPP;
	if (getpid() != r->device->owner)
		return -EPERM;
	p = r->device->paging;
	if (!atomic_compare_exchange_strong(&p->admitting, &nobody, 1))
		return -EBUSY;
	return 0;
}

static void finish(struct upa_region *r)
{
	atomic_store(&r->device->paging->admitting, 0);
}

/* Is there a pager still, as far as its socket tells? */
static bool paged_now(struct device_paging *p)
{
	return p->watched || (p->socket >= 0 && !drain(p));
}

static int admit(struct upa_region *r, int socket, const struct upa_region_terms *terms)
{
	struct device_paging *p = r->device->paging;
	int own = socket, error = paged_now(p) ? -EBUSY : 0;

	if (!error)
		error = set_terms(p, terms);
	if (!error && socket < 0)
		error = set_path(p, terms->path);
	if (!error && p->stop < 0) {
		p->stop = eventfd(0, EFD_CLOEXEC);
		error = p->stop < 0 ? -errno : 0;
	}
	if (error)
		return error;
	p->end = end;
	own = socket < 0 ? connect_to(&p->path) : fcntl(socket, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return socket < 0 ? own : -errno;
	error = admit_one(r, own);
	if (error && p->socket != own)
		close(own);
	if (!error && socket < 0 && terms->flags & UPA_ADMIT_WAIT)
		error = start_watching(r);
	return error;
}

int upa_region_admit(struct upa_region *r, const struct upa_region_terms *terms)
{
	int error = begin(r);

	if (error)
		return error;
	error = admit(r, -1, terms);
	finish(r);
	return error;
}

int upa_region_admit_at(struct upa_region *r, int socket, const struct upa_region_terms *terms)
{
	int error = socket < 0 ? -EINVAL : begin(r);

	if (error)
		return error;
	error = admit(r, socket, terms);
	finish(r);
	return error;
}

int upa_region_revoke(struct upa_region *r, uint32_t flags)
{
	struct upadev_pager request = { .flags = flags & UPA_ADMIT_WAIT ? UPADEV_PAGER_WAIT : 0 };
	int error = begin(r);
	eventfd_t value;

	if (error)
		return error;
	if (flags & ~UPA_ADMIT_WAIT)
		error = -EINVAL;
	if (!error && r->device->paging->watched) {
		stop_watching(r->device->paging);
		eventfd_read(r->device->paging->stop, &value);
	}
	if (!error)
		error = upa_device_call(r->device, UPADEV_REVOKE, &request);
	finish(r);
	return error;
}
