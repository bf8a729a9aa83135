/*
 * Random calls by several processes and threads: of the module, on mappings of data, views and
 * neighbours, fork, exec, kill, descriptors handed to others, under memory pressure that comes and
 * goes, over shadow tables and states of random words. Every word of every frame is written with a
 * tag of its owner, so that a word of somebody else is seen wherever it turns up, and one that was
 * overwritten is missed. Passed if no foreign word was seen, nobody died who was not killed on
 * purpose, all memory came back, and the kernel log stays clean.
 *
 * Usage: fuzz [--calls N] [--minutes N] [--seed N]     ends at whichever comes first
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>

#include "fuzz_calls.h"
#include "passing.h"

#define HOLDERS 3
#define CALLERS 2
#define CALLS_OF_A_LIFE 3000
#define DEFAULT_CALLS 60000
#define TAG_BITS 24 /* of a word: random below, its owner above */

/* What all processes share. */
struct shared {
	_Atomic uint64_t calls, successes, touches, good_touches, lives, owners, foreign;
	_Atomic bool over;
};

static struct shared *shared;
static uint64_t wanted_calls;
static time_t wanted_end;
static int passing[2]; /* a socket over which descriptors go from process to process */

/* ---- a holder: a process with a region --------------------------------------------------------*/

static uint64_t owner;
static _Atomic int callers;               /* that are still at it */
static _Atomic bool ending, sent;         /* sent: others may write the shadow */
static __thread sigjmp_buf *fault_return; /* where a touch is expected to fault */

static void fault(int signal_number)
{
	if (fault_return)
		siglongjmp(*fault_return, signal_number);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void count(bool success)
{
	uint64_t calls = atomic_fetch_add(&shared->calls, 1) + 1;

	if (success)
		atomic_fetch_add(&shared->successes, 1);
	if (calls >= wanted_calls || (calls % 256 == 0 && wanted_end && time(NULL) >= wanted_end))
		atomic_store(&shared->over, true);
}

static uint64_t tag(uint64_t *state)
{
	return owner << TAG_BITS | next(state) % (1 << TAG_BITS);
}

static void check_word(uint64_t place, uint64_t value)
{
	if (!value || value >> TAG_BITS == owner)
		return;
	atomic_fetch_add(&shared->foreign, 1);
	fprintf(stderr, "# FOREIGN WORD %#" PRIx64 " at %#" PRIx64 " of owner %#" PRIx64 "\n",
		value, place, owner);
	_exit(1);
}

/* Reads and writes the data and its neighbours. */
static void *touch_all(void *argument)
{
	volatile uint64_t state = (uintptr_t)argument; /* survives the jump */
	sigjmp_buf back;

	while (!atomic_load(&ending)) {
		uint64_t random = state, place;

		place = DATA - NEIGHBOUR +
			next(&random) % (r.created.data_bytes + 2 * NEIGHBOUR) / 8 * 8;
		state = random;
		atomic_fetch_add(&shared->touches, 1);
		if (random % 256 == 0)
			usleep(1000);
		if (sigsetjmp(back, 0)) {
			fault_return = NULL;
			continue;
		}
		fault_return = &back;
		check_word(place, *(volatile uint64_t *)place);
		if (random % 4)
			*(volatile uint64_t *)place = owner << TAG_BITS | random >> (64 - TAG_BITS);
		fault_return = NULL;
		atomic_fetch_add(&shared->good_touches, 1);
	}
	return NULL;
}

/* Random words into shadow and state, mostly frame numbers that are valid. */
static void scribble_once(uint64_t random)
{
	uint64_t page = next(&random) % r.created.pages, end = page + next(&random) % 64;

	/* Whole blocks of frames, now and then one that is out of range. */
	if (r.created.flags & UPADEV_CREATE_BLOCKS && one_in(&random, 2))
		((_Atomic uint32_t *)SHADOW)[page / 512 * 512] =
			UPADEV_SHADOW_BLOCK | next(&random) % (r.created.max_frames / 512 + 1);
	for (; page < end && page < r.created.pages; page++) {
		uint64_t word = next(&random);

		((_Atomic uint32_t *)SHADOW)[page] =
			word % 16 ? (word >> 8) % (r.created.max_frames + 2) :
			word % 32 ? UPADEV_SHADOW_AWAY | (word >> 8) % 4 :
				    word >> 32;
	}
	((volatile uint64_t *)STATE)[next(&random) % (r.created.state_bytes / 8)] = random;
}

static void *scribble(void *argument)
{
	volatile uint64_t state = (uintptr_t)argument;
	sigjmp_buf back;

	while (!atomic_load(&ending)) {
		uint64_t random = state;

		next(&random);
		state = random;
		if (!sigsetjmp(back, 0)) { /* else a view is away */
			fault_return = &back;
			scribble_once(state);
		}
		fault_return = NULL;
		if (state % 4 == 0)
			usleep(300);
	}
	return NULL;
}

/* A pager that serves, takes pages away, is revoked, and dies; then the next one. */
static void *page_all(void *argument)
{
	static uint64_t contents[16][512];
	uint64_t state = (uintptr_t)argument;

	while (atomic_load(&callers)) {
		struct upadev_pager request = { .flags = one_in(&state, 2) };
		int pager = ioctl(r.fd, UPADEV_ADMIT, &request);

		if (pager < 0) {
			usleep(2000);
			continue;
		}
		fcntl(pager, F_SETFL, O_NONBLOCK);
		while (atomic_load(&callers) && !one_in(&state, 200)) {
			struct region as = { .fd = pager };
			struct upadev_fault fault;
			ssize_t bytes = read(pager, &fault, sizeof(fault));

			if (!bytes)
				break; /* revoked */
			for (int i = 0; i < 16; i++)
				for (int j = 0; j < 512; j += 37)
					contents[i][j] = tag(&state);
			count(pager_call(&state, pager, contents,
					 bytes == sizeof(fault) ? &fault : NULL) >= 0);
			for (int i = 0; i < 16; i++)
				for (int j = 0; j < 512; j++)
					check_word((uint64_t)i, contents[i][j]);
			if (one_in(&state, 8))
				count(unmap_pages(&as, next(&state) % r.created.pages, 1) >= 0);
			if (bytes < 0)
				usleep(500);
		}
		close(pager);
	}
	/* Nobody is left who would serve those that wait. */
	ioctl(r.fd, UPADEV_REVOKE, &(struct upadev_pager){ 0 });
	return NULL;
}

/* Maps what is not there; what is there stays. */
static void restore(void)
{
	const int both = PROT_READ | PROT_WRITE;
	const int fixed = MAP_SHARED | MAP_FIXED_NOREPLACE;
	const int plain = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

	mmap((void *)DATA, r.created.data_bytes, both, fixed, r.fd, UPADEV_MAP_DATA);
	mmap((void *)SHADOW, r.created.shadow_bytes, both, fixed, r.fd, UPADEV_MAP_SHADOW);
	mmap((void *)STATE, r.created.state_bytes, both, fixed, r.fd, UPADEV_MAP_STATE);
	mmap((void *)(DATA - NEIGHBOUR), NEIGHBOUR, both, plain, -1, 0);
	mmap((void *)(DATA + r.created.data_bytes), NEIGHBOUR, both, plain, -1, 0);
}

static void read_file(const char *name)
{
	char buffer[4096];
	int fd = open(name, O_RDONLY);

	while (fd >= 0 && read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
}

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		errno = 0;
	close(fd);
}

/* The kernel's own walkers of page tables, and those who ask for memory back. */
static void look_from_outside(uint64_t *state)
{
	switch (next(state) % 6) {
	case 0:
		return read_file("/proc/self/smaps");
	case 1:
		return read_file("/sys/kernel/debug/upa/regions");
	case 2:
		return write_file("/proc/self/clear_refs", one_in(state, 2) ? "1" : "4");
	default:
		write_file("/proc/sys/vm/drop_caches", "2");
	}
}

static void send_descriptor(int fd)
{
	if (pass_fd(passing[0], fd, MSG_DONTWAIT) == 1)
		atomic_store(&sent, true);
}

/* Somebody's region, perhaps that of a dead one. What is not for others is refused. */
static void use_received(uint64_t *state)
{
	int fd = take_fd(passing[1], MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct upadev_stats s;
	uint32_t *shadow;

	if (fd < 0)
		return;
	if (!ioctl(fd, UPADEV_STATS, &s)) {
		shadow = mmap(NULL, s.pages * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			      UPADEV_MAP_SHADOW);
		for (int i = 0; shadow != MAP_FAILED && i < 64; i++)
			shadow[next(state) % s.pages] = (uint32_t)next(state);
		for (int i = 0; i < 16; i++)
			count(device_call(state, fd) >= 0);
		if (shadow != MAP_FAILED)
			munmap(shadow, s.pages * 4);
	}
	close(fd);
}

/* A child has neither a mapping nor a say. */
static void fork_once(uint64_t *state)
{
	pid_t child = fork();

	if (!child) {
		sigjmp_buf back;
		struct upadev_batch b;

		fault_return = &back;
		if (!sigsetjmp(back, 0))
			check_word(DATA, *(volatile uint64_t *)DATA);
		fault_return = NULL;
		if (!batch(&r, UPADEV_UNMAP, 0, 1, &b) || errno != EPERM)
			_exit(2);
		for (int i = 0; i < 8; i++)
			mapping_call(state);
		_exit(0);
	}
	if (child > 0 && wait_status(child))
		FAIL("a forked child failed");
}

static void *make_calls(void *argument)
{
	uint64_t state = (uintptr_t)argument;

	for (int i = 0; i < CALLS_OF_A_LIFE / CALLERS && !atomic_load(&shared->over); i++) {
		bool mapping = one_in(&state, 4);

		count((mapping ? mapping_call(&state) : device_call(&state, r.fd)) >= 0);
		if (mapping && one_in(&state, 2))
			restore();
		if (one_in(&state, 128))
			use_received(&state);
		if (one_in(&state, 512))
			send_descriptor(r.fd);
		if (one_in(&state, 512))
			look_from_outside(&state);
		if (one_in(&state, 1024))
			fork_once(&state);
	}
	atomic_store(&ending, true);
	atomic_fetch_sub(&callers, 1);
	return NULL;
}

/* Every frame still answers to its own number, and to no other. */
static void check_pool(uint64_t *state)
{
	uint64_t frames = r.created.max_frames;

	ioctl(r.fd, UPADEV_BOUND, &(struct upadev_bound){ .pages = UPADEV_NO_BOUND });
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = frames }), 0);
	CHECK_EQUAL(munmap((void *)ARENA, 4ULL << 30), 0);
	restore();
	frames = frames < r.created.pages ? frames : r.created.pages;
	for (uint64_t page = 0; page < r.created.pages; page++)
		r.shadow[page] = page < frames ? (uint32_t)page + 1 : 0;
	for (uint64_t page = 0; page < frames; page++) {
		for (int i = 0; i < 512; i += 73)
			check_word(page, word(&r, page)[i]);
		word(&r, page)[0] = page;
	}
	for (uint64_t page = 0; page < frames; page++) {
		CHECK_EQUAL(*word(&r, page), page);
		*word(&r, page) = tag(state);
	}
}

static void live(uint64_t state)
{
	static const uint32_t flags[] = { 0,
					  UPADEV_CREATE_RECLAIM,
					  UPADEV_CREATE_BLOCKS,
					  UPADEV_CREATE_TRACK,
					  UPADEV_CREATE_BLOCKS,
					  UPADEV_CREATE_BLOCKS | UPADEV_CREATE_TRACK };
	struct sigaction action = { .sa_handler = fault, .sa_flags = SA_NODEFER };
	void *(*const roles[])(void *) = { make_calls, make_calls, touch_all,
					   touch_all,  scribble,   page_all };
	pthread_t threads[6];

	owner = 0xa5c3ULL << 24 | (atomic_fetch_add(&shared->owners, 1) & 0xffffff);
	r.fd = open("/dev/upa", O_RDWR);
	CHECK(r.fd >= 0);
	r.created = (struct upadev_create){ .version = UPADEV_ABI_VERSION,
					    .flags = flags[next(&state) % 6],
					    .pages = 512 << next(&state) % 4,
					    .max_frames = 512 << next(&state) % 4,
					    .state_bytes = PAGE << next(&state) % 3 };
	r.created.frames = one_in(&state, 4) ? 0 : r.created.max_frames;
	CHECK_EQUAL(ioctl(r.fd, UPADEV_CREATE, &r.created), 0);
	if (!(r.created.flags & UPADEV_CREATE_RECLAIM) && one_in(&state, 2)) {
		struct upadev_allocators a = somewhere(&state);

		CHECK_EQUAL(ioctl(r.fd, UPADEV_ALLOCATORS, &a), 0);
	}
	r.data = (void *)DATA, r.shadow = (void *)SHADOW, r.state = (void *)STATE;
	restore();
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	atomic_store(&callers, CALLERS);
	for (int i = 0; i < 6; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, roles[i],
					   (void *)(uintptr_t)(next(&state) | 1)),
			    0);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	atomic_fetch_add(&shared->lives, 1);
	if (one_in(&state, 3)) {
		char fd[16];

		snprintf(fd, sizeof(fd), "%d", r.fd);
		execl("/proc/self/exe", "fuzz", "--left", fd, (char *)NULL);
		FAIL("exec: errno=%d", errno);
	}
	if (!atomic_load(&sent))
		check_pool(&state);
	_exit(0);
}

/* After exec the descriptor holds the frames, and nothing more. */
static int left(int fd)
{
	struct region old = { .fd = fd };
	struct upadev_batch b;

	CHECK(stats(&old).pages >= 512);
	CHECK_ERRNO(batch(&old, UPADEV_MAP, 0, 1, &b), EPERM);
	return 0;
}

/*
 * ---- a neighbour, and who watches over all ----------------------------------------------------
 */

/* Memory that comes and goes, of which every word must stay what it was. */
static void neighbour(uint64_t state)
{
	size_t bytes = (size_t)sysconf(_SC_PHYS_PAGES) * PAGE / 8;

	owner = 0xa5c3ULL << 24 | (atomic_fetch_add(&shared->owners, 1) & 0xffffff);
	while (!atomic_load(&shared->over)) {
		uint64_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

		CHECK(p != MAP_FAILED);
		for (size_t i = 0; i < bytes / 8; i += 64)
			p[i] = tag(&state);
		usleep(10000);
		for (size_t i = 0; i < bytes / 8; i += 64)
			if (p[i] >> TAG_BITS != owner)
				FAIL("a neighbour's word is %#" PRIx64, p[i]);
		munmap(p, bytes);
	}
	_exit(0);
}

static pid_t start(void (*body)(uint64_t), uint64_t seed)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	CHECK(child >= 0);
	if (!child)
		body(seed | 1);
	return child;
}

static int watch(uint64_t seed)
{
	uint64_t state = seed | 1;
	pid_t holders[HOLDERS], other = start(neighbour, next(&state));
	bool killed[HOLDERS] = { false };
	int failures = 0;

	for (int i = 0; i < HOLDERS; i++)
		holders[i] = start(live, next(&state));
	while (!atomic_load(&shared->over) && !failures) {
		for (int i = 0; i < HOLDERS; i++) {
			int status;

			if (one_in(&state, 1000) && !killed[i])
				killed[i] = kill(holders[i], SIGKILL) == 0;
			if (waitpid(holders[i], &status, WNOHANG) != holders[i])
				continue;
			if (status && !(killed[i] && WTERMSIG(status) == SIGKILL)) {
				printf("# a holder ended with status %#x\n", (unsigned)status);
				failures++;
			}
			killed[i] = false;
			holders[i] = start(live, next(&state));
		}
		usleep(5000);
	}
	atomic_store(&shared->over, true);
	for (int i = 0; i < HOLDERS; i++) {
		int status = wait_status(holders[i]);

		failures += status && !(killed[i] && WTERMSIG(status) == SIGKILL);
	}
	failures += wait_status(other) != 0;
	return failures;
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL) * 2654435761U;
	long before, lost;
	int failures;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && !strcmp(argv[1], "--left"))
		return left(atoi(argv[2]));
	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t value = strtoull(argv[i + 1], NULL, 0);

		if (!strcmp(argv[i], "--calls"))
			wanted_calls = value;
		else if (!strcmp(argv[i], "--minutes"))
			wanted_end = time(NULL) + (time_t)value * 60;
		else if (!strcmp(argv[i], "--seed"))
			seed = value;
		else
			FAIL("option=%s: one of --calls, --minutes, --seed is needed", argv[i]);
	}
	if (!wanted_calls)
		wanted_calls = wanted_end ? UINT64_MAX : DEFAULT_CALLS;
	printf("# seed=%#" PRIx64 "\n", seed);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	CHECK_EQUAL(socketpair(AF_UNIX, SOCK_DGRAM, 0, passing), 0);
	write_file("/proc/sys/vm/drop_caches", "4"); /* without a line in the kernel log for each */
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	before = free_pages();
	failures = watch(seed);
	close(passing[0]);
	close(passing[1]);
	lost = before - free_pages();
	printf("# calls=%" PRIu64 " successes=%" PRIu64 " touches=%" PRIu64 " good=%" PRIu64
	       " lives=%" PRIu64 " owners=%" PRIu64 " lost=%ld pages\n",
	       shared->calls, shared->successes, shared->touches, shared->good_touches,
	       shared->lives, shared->owners, lost);
	CHECK_EQUAL(failures, 0);
	CHECK_EQUAL(shared->foreign, 0);
	CHECK(shared->successes > shared->calls / 8 && shared->successes < shared->calls);
	CHECK(shared->good_touches > 0 && shared->good_touches < shared->touches);
	CHECK(lost < 4096);
	return 0;
}
