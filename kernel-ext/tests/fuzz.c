/*
 * Random calls with random and nearly right arguments from several threads, over a shadow table and a state that another thread
 * fills with random words, while all of them touch the data and memory pressure comes and goes. Passed if the process lives, the pool is intact and the kernel
 * log stays clean. Arguments: seconds (default 10) and seed (default: from the clock, printed).
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "harness.h"

#define PAGES 4096
#define FRAMES 2048

static struct region r;
static _Atomic bool stop;
static _Atomic uint64_t calls, successes, touches, good_touches;
static __thread sigjmp_buf *fuzz_return;

static void fuzz_fault(int number) { siglongjmp(*fuzz_return, number); }

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
	return *state;
}

/* Mostly small or near a limit, now and then anything. */
static uint64_t number(uint64_t *state, uint64_t limit)
{
	switch (next(state) % 8) {
	case 0: return next(state);
	case 1: return limit + next(state) % 3 - 1;
	case 2: return 0;
	case 3: return 1ULL << next(state) % 64;
	default: return next(state) % limit;
	}
}

static void *scribble(void *argument)
{
	uint64_t state = (uint64_t)(uintptr_t)argument;

	while (!atomic_load(&stop)) {
		uint64_t page = next(&state) % PAGES, count = next(&state) % 600, i;

		for (i = page; i < page + count && i < PAGES; i++)
			r.shadow[i] = next(&state) % 16 ? (uint32_t)(next(&state) % (FRAMES + 2)) : (uint32_t)next(&state);
		((volatile uint64_t *)r.state)[next(&state) % (PAGE / 8)] = next(&state);
	}
	return NULL;
}

static void *reach(void *argument)
{
	volatile uint64_t state = (uint64_t)(uintptr_t)argument; /* survives the jump */
	uint64_t random, place;
	sigjmp_buf back;

	fuzz_return = &back;
	while (!atomic_load(&stop)) {
		atomic_fetch_add(&touches, 1);
		if (sigsetjmp(back, 1))
			continue;
		random = state;
		place = next(&random) % (PAGES * PAGE / 8) * 8;
		state = random;
		*(volatile uint64_t *)(r.data + place) = random;
		atomic_fetch_add(&good_touches, 1);
	}
	return NULL;
}

static void *call(void *argument)
{
	static const unsigned long codes[] = { UPADEV_INFO, UPADEV_CREATE, UPADEV_MAP, UPADEV_UNMAP, 0 /* fsync() */,
					       UPADEV_HARVEST, UPADEV_RESIZE, UPADEV_STATS };
	uint64_t state = (uint64_t)(uintptr_t)argument;
	static __thread uint64_t bits[2][PAGES / 64];
	static __thread struct upadev_range ranges[32];

	while (!atomic_load(&stop)) {
		unsigned long code = codes[next(&state) % 8];
		union {
			struct upadev_create create;
			struct upadev_batch batch;
			struct upadev_harvest harvest;
			struct upadev_resize resize;
			struct upadev_stats stats;
			uint64_t words[32];
		} a = { 0 };

		for (int i = 0; i < 32; i++)
			ranges[i] = (struct upadev_range){ next(&state) % PAGES, 1 + next(&state) % 64 };
		if (next(&state) % 4 == 0)
			ranges[next(&state) % 32] = (struct upadev_range){ number(&state, PAGES), number(&state, PAGES) };
		switch (code) {
		case UPADEV_CREATE:
			a.create = (struct upadev_create){ .version = UPADEV_ABI_VERSION, .pages = number(&state, PAGES), .max_frames = 512 };
			break;
		case UPADEV_MAP:
		case UPADEV_UNMAP:
			a.batch = (struct upadev_batch){ .ranges = (uintptr_t)ranges, .count = 1 + next(&state) % 32,
						      .flags = next(&state) % 4 == 0 };
			break;
		case UPADEV_HARVEST:
			a.harvest = (struct upadev_harvest){ .page = number(&state, PAGES), .count = number(&state, PAGES),
							  .accessed = (uintptr_t)bits[0], .dirty = (uintptr_t)bits[1],
							  .flags = next(&state) % 8 };
			if (a.harvest.count > PAGES) /* else the kernel is right to overwrite what follows */
				a.harvest.accessed = a.harvest.dirty = 0;
			break;
		case UPADEV_RESIZE:
			a.resize.frames = next(&state) % 8 ? (uint64_t)FRAMES : next(&state) % 5 * 512;
		}
		if (next(&state) % 16 == 0) {
			int i = (int)(next(&state) % 12);

			/* Not the addresses: the kernel would rightly write wherever they point. */
			if (code != UPADEV_HARVEST || (i != 2 && i != 3))
				a.words[i] = number(&state, PAGES);
		}
		atomic_fetch_add(&calls, 1);
		if ((code ? ioctl(r.fd, code, next(&state) % 64 ? (void *)&a : (void *)(next(&state) | 1ULL << 63)) : fsync(r.fd)) >= 0)
			atomic_fetch_add(&successes, 1);
		if (next(&state) % 64 == 0) {
			int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

			CHECK_EQUAL(write(fd, "2", 1), 1);
			close(fd);
		}
		if (next(&state) % 256 == 0) { /* the mapping goes away and comes back under everybody's feet */
			mremap(r.data, r.created.data_bytes, r.created.data_bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
			       (void *)(uintptr_t)(0x200000000000 + next(&state) % 1024 * PAGE));
			if (munmap(r.data, r.created.data_bytes) == 0)
				mmap(r.data, r.created.data_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, r.fd,
				     UPADEV_MAP_DATA);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 10;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) * 2654435761U;
	struct sigaction action = { .sa_handler = fuzz_fault, .sa_flags = SA_NODEFER };
	void *(*const roles[])(void *) = { scribble, reach, reach, call, call };
	pthread_t threads[5];

	printf("# seed=%#lx\n", (unsigned long)seed);
	r = make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, PAGES, FRAMES, FRAMES);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL); /* while the data is unmapped */
	for (int i = 0; i < 5; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, roles[i], (void *)(uintptr_t)(seed + 1 + i * 77777)), 0);
	sleep((unsigned int)seconds);
	atomic_store(&stop, true);
	for (int i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	printf("# calls=%lu successes=%lu touches=%lu good=%lu\n", (unsigned long)calls, (unsigned long)successes,
	       (unsigned long)touches, (unsigned long)good_touches);
	CHECK(successes > 0 && successes < calls);
	CHECK(good_touches > 0 && good_touches < touches);

	/* Every frame still answers to its own number, and to no other. */
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = FRAMES }), 0);
	munmap(r.data, r.created.data_bytes);
	map_data(&r);
	for (uint32_t page = 0; page < PAGES; page++)
		r.shadow[page] = page < FRAMES ? page + 1 : 0;
	for (uint64_t page = 0; page < FRAMES; page++)
		*word(&r, page) = page;
	for (uint64_t page = 0; page < FRAMES; page++)
		CHECK_EQUAL(*word(&r, page), page);
	return 0;
}
