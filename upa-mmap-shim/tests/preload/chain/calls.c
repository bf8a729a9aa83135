/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes each call that UPA replaces, on memory that is UPA's business and on what is not, for a library beside it to
 * see.
 *
 *   calls            every function of exports.map but malloc's; prints what each returns
 *   calls mallocs    malloc's family
 *   calls socket     a server and its client, for libsocket_wrapper
 *   calls lines N    for N seconds threads that fork, read lines, flush all streams, and look users up; must end
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "units.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s, errno=%d\n", __FILE__, __LINE__, #condition, errno);               \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

/* What a library that counts malloc's calls looks at. */
__attribute__((visibility("default"))) int counting;

static char text[4000];
static size_t length;

/* Kept until the end: printing is a call, too. */
static void say(const char *call, long result)
{
	length += (size_t)snprintf(text + length, sizeof(text) - length, "%s: %ld\n", call, result);
}

/* glibc has no mbind(); a library may. */
static long bind_by_name(void *address, size_t bytes)
{
	long (*function)(void *, unsigned long, int, const unsigned long *, unsigned long, unsigned);

	*(void **)&function = dlsym(RTLD_DEFAULT, "mbind");
	return function ? function(address, bytes, 0, NULL, 0, 0) : 0;
}

static void on(const char *what, char *block, size_t bytes)
{
	unsigned char vector[64];

	say(what, 0);
	say("madvise", madvise(block, bytes, MADV_WILLNEED));
	say("posix_madvise", posix_madvise(block, bytes, POSIX_MADV_WILLNEED));
	say("mincore", mincore(block, bytes, vector));
	say("mbind", bind_by_name(block, bytes));
	say("mlock", mlock(block, PAGE));
	say("munlock", munlock(block, PAGE));
	say("mlock2", mlock2(block, PAGE, 0));
	say("munlock", munlock(block, PAGE));
	say("msync", msync(block, bytes, MS_ASYNC));
	say("mprotect", mprotect(block, PAGE, PROT_READ));
	say("pkey_mprotect", pkey_mprotect(block, PAGE, PROT_READ, -1));
	say("munmap", munmap(block, bytes));
}

static void attach(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, 0600 | IPC_CREAT);
	void *at = shmat(id, NULL, 0);

	say("shmat", at == (void *)-1);
	say("shmdt", shmdt(at));
	shmctl(id, IPC_RMID, NULL);
}

static int all(void)
{
	int fd = open("/proc/self/exe", O_RDONLY), s = socket(AF_INET, SOCK_STREAM, 0), pipes[2], one = 1;
	char *block = mmap(NULL, MIB, RW, ANON, -1, 0);
	struct rlimit limit;
	struct rlimit64 limit64;
	struct iovec vector;
	pid_t child;

	CHECK(fd >= 0 && s >= 0 && block != MAP_FAILED && !pipe(pipes));
	memset(block, 1, MIB);
	block = mremap(block, MIB, 2 * MIB, MREMAP_MAYMOVE);
	CHECK(block != MAP_FAILED && block[MIB - 1] == 1 && !block[MIB]);
	CHECK(mremap(block, 2 * MIB, 16 * PAGE, 0) == block);
	on("anonymous", block, 16 * PAGE);
	block = mmap64(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(block != MAP_FAILED);
	vector = (struct iovec){ block, PAGE };
	say("vmsplice", vmsplice(pipes[1], &vector, 1, 0));
	on("file", block, 4 * PAGE);
	CHECK(!getrlimit(RLIMIT_NOFILE, &limit) && !getrlimit64(RLIMIT_NOFILE, &limit64));
	say("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
	say("setrlimit64", setrlimit64(RLIMIT_NOFILE, &limit64));
	say("prlimit", prlimit(0, RLIMIT_NOFILE, NULL, &limit));
	say("prlimit64", prlimit64(0, RLIMIT_NOFILE, NULL, &limit64));
	say("prctl", prctl(PR_SET_NAME, "calls", 0, 0, 0));
	say("setsockopt", setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	say("ioctl", ioctl(pipes[0], FIONREAD, &one));
	say("bytes in the pipe", one);
	attach();
	say("personality", personality(0xffffffff));
	say("process_madvise", process_madvise(-1, &vector, 1, MADV_COLD, 0));
	say("mlockall", mlockall(MCL_CURRENT | MCL_ONFAULT));
	child = fork();
	if (!child)
		_exit(0);
	CHECK(child > 0 && waitpid(child, NULL, 0) == child);
	if (write(1, text, length) != (ssize_t)length)
		return 1;
	_Exit(0);
}

static int mallocs(void)
{
	static void *blocks[10];
	static const size_t sizes[] = { 100, 40000, 500000, 3000000 };

	counting = 1;
	for (size_t i = 0; i < 4; i++) {
		size_t n = sizes[i];

		for (int round = 0; round < 3; round++) {
			blocks[0] = malloc(n);
			blocks[1] = calloc(3, n);
			blocks[2] = realloc(NULL, n);
			blocks[3] = memalign(64, n);
			blocks[4] = aligned_alloc(64, (n + 63) & ~63ul);
			if (posix_memalign(&blocks[5], 4096, n))
				blocks[5] = NULL;
			blocks[2] = realloc(blocks[2], 2 * n);
			for (size_t k = 0; k < 3 * n; k++)
				if (((char *)blocks[1])[k])
					abort();
			for (int k = 0; k < 6; k++) {
				if (!blocks[k] || malloc_usable_size(blocks[k]) < n)
					abort();
				memset(blocks[k], 0x5a, malloc_usable_size(blocks[k]) < n ? 0 : n);
				free(blocks[k]);
			}
		}
	}
	counting = 0;
	return 0;
}

static int sockets(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(7) };
	int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	inet_pton(AF_INET, "127.0.0.10", &address.sin_addr);
	CHECK(!bind(s, (void *)&address, sizeof(address)));
	CHECK(!setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	CHECK(!listen(s, 5));
	CHECK(!connect(c, (void *)&address, sizeof(address)));
	CHECK(!setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	CHECK(!ioctl(c, FIONREAD, &one));
	return 0;
}

/* ---- locks of libc's that fork() takes ---------------------------------------------------------------- */

static volatile bool over;
static char name[] = "/tmp/upa-lines-XXXXXX";

static void *forks(void *unused)
{
	while (!over) {
		pid_t child = fork();
		int status;

		if (!child) {
			/* Every heap works in the child. */
			for (size_t bytes = 10; bytes < 4 * MIB; bytes *= 7) {
				char *p = malloc(bytes);

				memset(p, 1, bytes);
				p = realloc(p, 2 * bytes);
				free(p);
			}
			_exit(0);
		}
		CHECK(child > 0 && waitpid(child, &status, 0) == child && !status);
	}
	return unused;
}

static void *flushes(void *unused)
{
	while (!over)
		fflush(NULL);
	return unused;
}

/* Allocates with a stream locked. */
static void *reads(void *unused)
{
	FILE *f = fopen(name, "r");

	CHECK(f);
	while (!over) {
		char *line = NULL;
		size_t n = 0;

		rewind(f);
		CHECK(getline(&line, &n, f) == 200001);
		free(line);
	}
	fclose(f);
	return unused;
}

/* Allocates with the lock of the name service held. */
static void *looks_up(void *unused)
{
	char buffer[4096];
	struct passwd entry, *found;

	while (!over) {
		getpwnam_r("root", &entry, buffer, sizeof(buffer), &found);
		endpwent();
		setpwent();
		getpwent();
	}
	return unused;
}

static int lines(unsigned seconds)
{
	FILE *f = fdopen(mkstemp(name), "w");
	void *(*const run[])(void *) = { forks, forks, forks, reads, reads, reads, reads, flushes, looks_up };
	pthread_t threads[sizeof(run) / sizeof(*run)];

	CHECK(f);
	for (int i = 0; i < 200000; i++)
		fputc('x', f);
	fputc('\n', f);
	fclose(f);
	for (size_t i = 0; i < sizeof(run) / sizeof(*run); i++)
		CHECK(!pthread_create(&threads[i], NULL, run[i], NULL));
	sleep(seconds);
	over = true;
	/* A deadlock is death by SIGALRM. */
	alarm(60);
	for (size_t i = 0; i < sizeof(run) / sizeof(*run); i++)
		CHECK(!pthread_join(threads[i], NULL));
	unlink(name);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return all();
	if (!strcmp(argv[1], "mallocs"))
		return mallocs();
	if (!strcmp(argv[1], "socket"))
		return sockets();
	if (!strcmp(argv[1], "lines") && argc == 3)
		return lines((unsigned)atoi(argv[2]));
	fputs("usage: calls [mallocs | socket | lines SECONDS]\n", stderr);
	return 2;
}
