/*
 * kill -9 at random moments of processes that create, map, unmap, harvest and resize in two
 * threads: no page may be lost.
 */
#include <pthread.h>

#include "harness.h"

#define FRAMES 4096
#define LIMIT                                                                                      \
	(FRAMES /                                                                                  \
	 2) /* half of what one holder has: room for the kernel's own caches, KASAN's above all */

static struct region r;

static void *churn(void *argument)
{
	unsigned int seed = (unsigned int)(uintptr_t)argument;
	uint64_t bits[FRAMES / 64];

	for (;;) {
		uint64_t page = rand_r(&seed) % FRAMES, count = 1 + rand_r(&seed) % (FRAMES - page),
			 i;

		for (i = page; i < page + count; i++)
			r.shadow[i] = rand_r(&seed) % (FRAMES + 2);
		switch (rand_r(&seed) % 6) {
		case 0:
			map_pages(&r, page, count);
			break;
		case 1:
			unmap_pages(&r, page, count);
			break;
		case 2:
			fsync(r.fd);
			break;
		case 3:
			ioctl(r.fd, UPADEV_HARVEST,
			      &(struct upadev_harvest){
				      .count = FRAMES, .dirty = (uintptr_t)bits, .flags = 7 });
			break;
		case 4:
			ioctl(r.fd, UPADEV_RESIZE,
			      &(struct upadev_resize){ .frames = rand_r(&seed) % 9 * 512 });
			break;
		default:
			for (i = page; i < page + count; i += 7)
				touch(r.data + i * PAGE, true);
		}
	}
	return NULL;
}

static void *only_calls(void *argument)
{
	unsigned int seed = (unsigned int)(uintptr_t)argument;

	for (;;) {
		map_pages(&r, rand_r(&seed) % 512, 512);
		unmap_pages(&r, rand_r(&seed) % 512, 512);
	}
	return NULL;
}

static void victim(unsigned int seed)
{
	pthread_t other;

	for (;;) {
		r = guarded(FRAMES, FRAMES);
		if (seed & 1) {
			pthread_create(&other, NULL, only_calls, (void *)(uintptr_t)seed);
			churn((void *)(uintptr_t)seed);
		}
		/* Even seeds: killed mostly while a region is made or comes to its end. */
		r.shadow[5] = 1;
		touch(r.data + 5 * PAGE, true);
		if (seed & 2) {
			munmap(r.data, r.created.data_bytes);
			close(r.fd);
		} else {
			close(r.fd);
			munmap(r.data, r.created.data_bytes);
		}
		munmap((void *)r.shadow, r.created.shadow_bytes);
		munmap(r.state, PAGE);
	}
}

static void loses_no_page(void)
{
	unsigned int seed = 1;
	long before = 0, lost;

	for (int round = 0; round < 60; round++) {
		pid_t child = fork();

		if (!child)
			victim((unsigned int)round);
		usleep(5000 + rand_r(&seed) % 60000);
		CHECK_EQUAL(kill(child, SIGKILL), 0);
		CHECK_EQUAL(wait_status(child), SIGKILL);
		if (round == 9) { /* after the kernel's own caches have grown to their size */
			usleep(500000);
			before = free_pages();
		}
	}
	for (int tries = 0; tries < 20; tries++) {
		usleep(200000);
		lost = before - free_pages();
		if (lost < LIMIT)
			break;
	}
	printf("# lost=%ld pages after 50 kills of holders of %d pages\n", lost, FRAMES);
	if (lost >= LIMIT)
		FAIL("lost=%ld pages", lost);
}

TESTS(CASE(loses_no_page))
