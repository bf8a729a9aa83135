/*
 * A pager beside threads that write, beside its owner, and killed in the middle: no store is lost,
 * nobody starves, and what has not been said has not happened.
 */
#include <sched.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "pager.h"

#define FRAMES 1024
#define FEW 16
#define ROUNDS 1000U

static uint64_t contents[PAGE / 8];

static _Atomic bool over;
static struct region shared_region;

/* Counts in one page, whatever becomes of it. */
static void *count_up(void *argument)
{
	volatile uint64_t *place = word(&shared_region, (uint64_t)(uintptr_t)argument);
	uint64_t n = 0;

	while (!atomic_load(&over)) {
		uint64_t seen = *place;

		if (seen != n) {
			fprintf(stderr, "# page=%lu: %llu, expected %llu\n",
				(unsigned long)argument, (unsigned long long)seen,
				(unsigned long long)n);
			return argument;
		}
		*place = ++n;
	}
	return NULL;
}

/* No store is lost, however often pages go and come in other frames. */
static void loses_no_store(void)
{
	int pager;
	pthread_t threads[4];
	struct upadev_transfer t[8];
	static uint64_t store[8][512];
	uint32_t next = 8;
	void *result;

	shared_region = paged_region(FRAMES, 0, &pager);
	for (uint32_t i = 0; i < 8; i++)
		shared_region.shadow[i] = i + 1;
	for (uintptr_t i = 0; i < 4; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, count_up, (void *)(i * 2)), 0);
	for (int round = 0; round < 1500; round++) {
		for (uint32_t i = 0; i < 8; i++)
			t[i] = (struct upadev_transfer){ .page = i,
							 .buffer = (uintptr_t)store[i],
							 .away = AWAY(i),
							 .frame = UPADEV_ANY_FRAME };
		CHECK_EQUAL(paging(pager, UPADEV_PAGE_OUT, t, 8, NULL), 0);
		for (uint32_t i = 0; i < 8; i++) {
			CHECK_EQUAL(t[i].result, 0);
			t[i].frame = next++ % FRAMES;
			t[i].flags = 0;
		}
		CHECK_EQUAL(paging(pager, UPADEV_PAGE_IN, t, 8, NULL), 0);
		for (uint32_t i = 0; i < 8; i++)
			CHECK_EQUAL(t[i].result, 0);
	}
	atomic_store(&over, true);
	for (int i = 0; i < 4; i++) {
		CHECK_EQUAL(pthread_join(threads[i], &result), 0);
		CHECK_EQUAL((long)result, 0);
	}
}

/* ---- the owner is quicker, or is not ---- */

static _Atomic uint32_t wanted; /* a page, or 0 */
static _Atomic bool taken;

/* Takes the page out of the table while it comes: no sooner than the one before it has come. */
static void *take_what_comes(void *argument)
{
	for (;;) {
		uint32_t page = atomic_load(&wanted), away = AWAY(page);

		if (atomic_load(&over))
			return argument;
		if (!page)
			continue;
		while (shared_region.shadow[page - 1] == AWAY(page - 1))
			;
		atomic_store(&taken,
			     atomic_compare_exchange_strong(&shared_region.shadow[page], &away, 0));
		atomic_store(&wanted, 0);
	}
}

/* A page has come, or its owner has taken it out meanwhile: not both. */
static void taken_while_it_comes(void)
{
	static uint64_t store[FEW][512];
	struct upadev_transfer t[FEW];
	unsigned int quicker = 0;
	pthread_t owner;
	int pager;

	shared_region = paged_region(FRAMES, 0, &pager);
	CHECK_EQUAL(pthread_create(&owner, NULL, take_what_comes, NULL), 0);
	for (uint32_t round = 0; round < 300; round++) {
		uint32_t page = 1 + round % (FEW - 1);

		for (uint32_t i = 0; i < FEW; i++) {
			shared_region.shadow[i] = AWAY(i);
			t[i] = (struct upadev_transfer){ .page = i,
							 .buffer = (uintptr_t)store[i],
							 .away = AWAY(i),
							 .frame = i };
		}
		atomic_store(&wanted, page);
		CHECK_EQUAL(paging(pager, UPADEV_PAGE_IN, t, FEW, NULL), 0);
		while (atomic_load(&wanted))
			;
		CHECK_EQUAL(t[page].result, taken ? -EAGAIN : 0);
		CHECK_EQUAL(shared_region.shadow[page], taken ? 0 : page + 1);
		quicker += taken;
	}
	atomic_store(&over, true);
	CHECK_EQUAL(pthread_join(owner, NULL), 0);
	printf("# the owner was quicker %u of 300 times\n", quicker);
}

/* ---- stores while pages go ---- */

#define AHEAD 2U /* the pager goes before the stores by so many pages, at least */

static sem_t looked, stored, next_round;
static _Atomic uint32_t gone; /* the last round in which all pages went */
static _Atomic uint32_t delay;

/* Stores into one page after another, each some time after one before it has gone. */
static void *store_while_they_go(void *argument)
{
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		for (uint32_t i = 0; i < FEW; i++)
			CHECK_EQUAL(*word(&shared_region, i), i < AHEAD ? 0 : round - 1);
		sem_post(&looked);
		for (uint32_t i = AHEAD; i < FEW; i++) {
			while (shared_region.shadow[i - AHEAD] != AWAY(i - AHEAD) &&
			       atomic_load(&gone) != round)
				;
			for (volatile uint32_t n = atomic_load(&delay); n; n--)
				;
			*word(&shared_region, i) = round;
		}
		sem_post(&stored);
		sem_wait(&next_round);
	}
	return argument;
}

/*
 * A page that is said to be clean has not been written until it was out of reach. The stores are
 * brought to the instant at which pages go: about half of them are too late.
 */
static void clean_is_unwritten(void)
{
	static uint64_t store[FEW][512];
	struct upadev_transfer t[FEW];
	unsigned int late = 0;
	pthread_t writer;
	int pager;

	shared_region = paged_region(FRAMES, UPADEV_CREATE_TRACK, &pager);
	for (uint32_t i = 0; i < FEW; i++)
		shared_region.shadow[i] = i + 1;
	sem_init(&looked, 0, 0), sem_init(&stored, 0, 0), sem_init(&next_round, 0, 0);
	CHECK_EQUAL(pthread_create(&writer, NULL, store_while_they_go, NULL), 0);
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		unsigned int clean = 0;

		for (uint32_t i = 0; i < FEW; i++)
			t[i] = (struct upadev_transfer){ .page = i,
							 .buffer = (uintptr_t)store[i],
							 .away = AWAY(i),
							 .frame = i };
		sem_wait(&looked);
		CHECK_EQUAL(paging(pager, UPADEV_PAGE_OUT, t, FEW, NULL), 0);
		atomic_store(&gone, round);
		for (uint32_t i = AHEAD; i < FEW; i++) {
			CHECK_EQUAL(t[i].result, 0);
			if (!(t[i].flags & UPADEV_TRANSFER_CLEAN))
				continue;
			clean++;
			if (store[i][0] != round - 1)
				FAIL("round=%u page=%u: clean, with %llu", round, i,
				     (unsigned long long)store[i][0]);
		}
		late += clean;
		if (clean < FEW / 2)
			atomic_fetch_add(&delay, 1);
		else if (delay)
			atomic_fetch_sub(&delay, 1);
		for (uint32_t i = 0; i < FEW; i++)
			t[i].flags = 0;
		CHECK_EQUAL(paging(pager, UPADEV_PAGE_IN, t, FEW, NULL), 0);
		sem_wait(&stored);
		/* What was stored late has made pages dirty again. */
		CHECK_EQUAL(unmap_pages(&shared_region, 0, FEW), 0);
		sem_post(&next_round);
	}
	CHECK_EQUAL(pthread_join(writer, NULL), 0);
	printf("# %u of %u stores were late; delay=%u\n", late, ROUNDS * (FEW - AHEAD), delay);
}

/* ---- killed in the middle ---- */

/* What its results do not say has not gone; what they say has, with its contents. */
static void killed_in_the_middle(void)
{
	enum { PAGES = 512 };
	struct upadev_transfer *t = mmap(NULL, PAGES * sizeof(*t), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t *store;
	unsigned int seed = 7, some = 0;

	for (int round = 0; round < 30; round++) {
		int pager, told[2];
		struct region r = paged_region(FRAMES, 0, &pager);
		uint32_t gone = 0;
		pid_t child;
		char byte;

		store = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			     -1, 0);
		CHECK_EQUAL(pipe(told), 0);
		for (uint32_t i = 0; i < PAGES; i++) {
			r.shadow[i] = i + 1;
			fill((uint64_t *)word(&r, i), i * 10);
			t[i] = (struct upadev_transfer){ .page = i,
							 .buffer = (uintptr_t)(store + i * 512),
							 .away = AWAY(i),
							 .frame = i,
							 .result = 1 };
		}
		child = fork();
		if (!child) {
			CHECK_EQUAL(write(told[1], "x", 1), 1);
			paging(pager, UPADEV_PAGE_OUT, t, PAGES, NULL);
			pause();
		}
		close(pager);
		CHECK_EQUAL(read(told[0], &byte, 1), 1);
		usleep(rand_r(&seed) % 8000);
		kill(child, SIGKILL);
		CHECK_EQUAL(wait_status(child), SIGKILL);
		for (uint32_t i = 0; i < PAGES; i++) {
			bool said = t[i].result == 0;

			if (r.shadow[i] != (said ? AWAY(i) : i + 1))
				FAIL("page=%u: result=%d entry=%#x", i, t[i].result, r.shadow[i]);
			if (!filled(said ? store + i * 512 : word(&r, i), i * 10))
				FAIL("page=%u: result=%d, contents", i, t[i].result);
			gone += said;
		}
		some += gone > 0 && gone < PAGES;
		munmap(store, PAGES * PAGE);
		munmap(r.data, r.created.data_bytes);
		munmap((void *)(uintptr_t)r.shadow, r.created.shadow_bytes);
		munmap(r.state, PAGE);
		close(r.fd);
		close(told[0]), close(told[1]);
	}
	printf("# %u of 30 rounds ended in the middle\n", some);
}

/* ---- revoked in the middle ---- */

static _Atomic int working; /* calls made */

/* Takes pages out and brings them back, until it is the pager no more. */
static void *go_and_come(void *argument)
{
	int pager = (int)(intptr_t)argument;
	struct upadev_transfer t[FEW];

	for (;;) {
		for (uint32_t i = 0; i < FEW; i++)
			t[i] = (struct upadev_transfer){ .page = i, .away = AWAY(i), .frame = i };
		if (paging(pager, UPADEV_PAGE_OUT, t, FEW, NULL))
			return (void *)(intptr_t)errno;
		for (uint32_t i = 0; i < FEW; i++)
			t[i].flags = 0;
		if (paging(pager, UPADEV_PAGE_IN, t, FEW, NULL))
			return (void *)(intptr_t)errno;
		atomic_fetch_add(&working, 1);
	}
}

/* Once a pager is revoked, no entry changes, also of a call that was under way. */
static void revoked_in_the_middle(void)
{
	struct region r = guarded(FRAMES, FRAMES);

	for (int round = 0; round < 300; round++) {
		int pager = admit(&r, 0);
		uint32_t seen[FEW];
		pthread_t thread;
		void *result;

		CHECK(pager >= 0);
		for (uint32_t i = 0; i < FEW; i++)
			r.shadow[i] = i + 1;
		CHECK_EQUAL(map_pages(&r, 0, FEW), 0);
		atomic_store(&working, 0);
		CHECK_EQUAL(pthread_create(&thread, NULL, go_and_come, (void *)(intptr_t)pager), 0);
		while (atomic_load(&working) < 1 + round % 8)
			;
		CHECK_EQUAL(dismiss(&r, 0), 0);
		for (uint32_t i = 0; i < FEW; i++)
			seen[i] = __atomic_load_n(&r.shadow[i], __ATOMIC_RELAXED);
		CHECK_EQUAL(pthread_join(thread, &result), 0);
		CHECK_EQUAL((intptr_t)result, ESHUTDOWN);
		for (uint32_t i = 0; i < FEW; i++)
			if (r.shadow[i] != seen[i])
				FAIL("round=%d page=%u: entry=%#x, then %#x", round, i, seen[i],
				     r.shadow[i]);
		close(pager);
	}
}

/* ---- undone too late ---- */

static void on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		skip("two processors are needed");
}

/* Reads or writes a parameter of the test's module: one byte. */
static void parameter(const char *name, int mode, char *byte)
{
	char path[64];
	int file;

	snprintf(path, sizeof(path), "/sys/module/upa_late/parameters/%s", name);
	file = open(path, mode | O_CLOEXEC);
	CHECK(file >= 0);
	CHECK_EQUAL(mode == O_RDONLY ? read(file, byte, 1) : write(file, byte, 1), 1);
	close(file);
}

/* A page goes, of which the pager cannot be told. */
static void *undo_late(void *argument)
{
	uint32_t frame = UPADEV_ANY_FRAME;
	void *forbidden = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	on_cpu(0);
	CHECK_EQUAL(prctl(PR_SET_NAME, "upa-late"), 0);
	CHECK_EQUAL(page_out((int)(intptr_t)argument, 0, AWAY(0), &frame, forbidden), EFAULT);
	return NULL;
}

/* It is undone before the pager is revoked, or not at all. */
static void revoked_before_undo(void)
{
	int late = open("/upa_late.ko", O_RDONLY | O_CLOEXEC), pager;
	pthread_t thread;
	struct region r;
	char there = 'N';

	if (late < 0)
		skip("the kernel has no probes");
	on_cpu(1);
	r = paged_region(FRAMES, 0, &pager);
	r.shadow[0] = 1;
	*word(&r, 0) = 7;
	CHECK_EQUAL(syscall(SYS_finit_module, late, "callers=upa_pager_", 0), 0);
	close(late);
	CHECK_EQUAL(pthread_create(&thread, NULL, undo_late, (void *)(intptr_t)pager), 0);
	for (int i = 0; i < 10000 && there != 'Y'; i++) {
		parameter("there", O_RDONLY, &there);
		usleep(1000);
	}
	CHECK_EQUAL(there, 'Y');
	CHECK_EQUAL(r.shadow[0], AWAY(0));
	CHECK_EQUAL(dismiss(&r, 0), 0);
	parameter("go", O_WRONLY, &there);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	CHECK_EQUAL(r.shadow[0], AWAY(0));
	CHECK_EQUAL(syscall(SYS_delete_module, "upa_late", 0), 0);
}

/* ---- two processes ---- */

/* The pager never rests: the owner gets on, and so does another owner that it serves. */
static void starves_nobody(void)
{
	int pager;
	struct region r = paged_region(FRAMES, 0, &pager), as = { .fd = pager };
	pid_t child;

	for (uint32_t i = 0; i < FRAMES; i++)
		r.shadow[i] = i + 1;
	child = fork();
	if (!child) {
		struct upadev_harvest h = { .count = FRAMES, .flags = 7 };
		uint32_t frame;

		for (;;) {
			unmap_pages(&as, 0, FRAMES);
			map_pages(&as, 0, FRAMES);
			ioctl(pager, UPADEV_HARVEST, &h);
			frame = UPADEV_ANY_FRAME;
			page_out(pager, 3, AWAY(3), &frame, contents);
			page_in(pager, 3, AWAY(3), 3, NULL);
		}
	}
	for (int i = 0; i < 1000; i++) {
		uint64_t page = (uint64_t)i % 512;

		CHECK_EQUAL(unmap_pages(&r, page, 1), 0);
		*word(&r, page) = page;
		CHECK_EQUAL(munmap(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
				   PAGE),
			    0);
	}
	CHECK_EQUAL(dismiss(&r, 0), 0); /* while it is at work */
	for (uint32_t i = 0; i < FRAMES; i++)
		r.shadow[i] = 0;
	CHECK_EQUAL(unmap_pages(&r, 0, FRAMES), 0);
	usleep(50000);
	for (uint32_t i = 0; i < FRAMES; i++)
		CHECK_EQUAL(r.shadow[i], 0);
	kill(child, SIGKILL);
	CHECK_EQUAL(wait_status(child), SIGKILL);
}

TESTS(CASE(loses_no_store), CASE(taken_while_it_comes), CASE(clean_is_unwritten),
      CASE(killed_in_the_middle), CASE(revoked_in_the_middle), CASE(revoked_before_undo),
      CASE(starves_nobody))
