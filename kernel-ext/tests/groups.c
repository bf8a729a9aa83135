/*
 * Memory cgroups: where one is at its limit, what regions of its processes keep and do not use is
 * taken, and no other region's; also after the cgroup has ended.
 */
#include <sys/stat.h>

#include "allocator.h"
#include "cgroup.h"

#define ROOT "/sys/fs/cgroup"
#define OURS ROOT "/upa-ours"
#define OTHERS ROOT "/upa-others"
#define FRAMES 16384ULL /* 64 MiB */
#define USED 512ULL

static struct region r;

static void enter(const char *group)
{
	char path[64];

	if (mkdir(group, 0755) && errno != EEXIST)
		skip("no cgroup v2");
	cgroup_put(ROOT "/cgroup.subtree_control", "+memory");
	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	cgroup_put(path, "0");
}

/* Of whose frames a few are in use and all have memory. */
static void make(void)
{
	struct upadev_allocators a = { 0 };
	struct allocator pages, frames;
	uint64_t end;

	r = make_region_with(UPADEV_GUARDED, 0, FRAMES, FRAMES, FRAMES, 4 << 20);
	end = allocator_place(&pages, &r, 4096, FRAMES);
	a.marks_offset = allocator_place(&frames, &r, end, FRAMES);
	a.pages = pages.where;
	a.frames = frames.where;
	for (uint64_t i = USED; i < FRAMES; i++) {
		unit_put(&pages, i);
		unit_put(&frames, i);
	}
	CHECK_EQUAL(ioctl(r.fd, UPADEV_ALLOCATORS, &a), 0);
	for (uint64_t page = 0; page < USED; page++) {
		r.shadow[page] = (uint32_t)page + 1;
		*word(&r, page) = 900 + page;
	}
}

static void check_used(void)
{
	for (uint64_t page = 0; page < USED; page++)
		CHECK_EQUAL(*word(&r, page), 900 + page);
}

/* Anonymous memory, as much of it as asked for, touched. */
static void use_memory(size_t bytes)
{
	char *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	for (size_t at = 0; at < bytes; at += PAGE)
		memory[at] = 1;
}

/* An owner in another cgroup, until the pipe is closed: nothing of it must have gone. */
static pid_t start_other(int *hold)
{
	int ends[2], ready[2];
	pid_t child;

	CHECK_EQUAL(pipe(ends), 0);
	CHECK_EQUAL(pipe(ready), 0);
	child = fork();
	if (!child) {
		close(ends[1]);
		enter(OTHERS);
		make();
		CHECK_EQUAL(write(ready[1], "x", 1), 1);
		CHECK_EQUAL(read(ends[0], &(char){ 0 }, 1), 0);
		check_used();
		CHECK_EQUAL(stats(&r).reclaimed_pages, 0);
		exit(0);
	}
	close(ends[0]);
	CHECK_EQUAL(read(ready[0], &(char){ 0 }, 1), 1);
	*hold = ends[1];
	return child;
}

/* A neighbour within the limit gets what the owner keeps, and nobody is killed for want of it. */
static void limit_takes_what_is_unused(void)
{
	pid_t other, neighbour;
	int hold;

	other = start_other(&hold);
	enter(OURS);
	make();
	cgroup_put(OURS "/memory.max", "100663296"); /* 96 MiB */
	neighbour = fork();
	if (!neighbour) {
		use_memory(72 << 20);
		_exit(0);
	}
	CHECK_EQUAL(wait_status(neighbour), 0);
	printf("# taken: %llu of %llu pages\n", (unsigned long long)stats(&r).reclaimed_pages,
	       FRAMES - USED);
	CHECK(stats(&r).reclaimed_pages > (72 - 96 + 64) * 256 / 2);
	check_used();
	close(hold);
	CHECK_EQUAL(wait_status(other), 0);
	cgroup_put(OURS "/memory.max", "max");
}

/* A region made with UPADEV_CREATE_RECLAIM is found in its cgroup as well. */
static void limit_takes_unnamed_blocks(void)
{
	pid_t neighbour;

	enter(OURS);
	r = make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, FRAMES, FRAMES, FRAMES);
	for (uint64_t page = 0; page < USED; page++) {
		r.shadow[page] = (uint32_t)page + 1;
		*word(&r, page) = 900 + page;
	}
	cgroup_put(OURS "/memory.max", "100663296");
	neighbour = fork();
	if (!neighbour) {
		use_memory(72 << 20);
		_exit(0);
	}
	CHECK_EQUAL(wait_status(neighbour), 0);
	CHECK(stats(&r).reclaimed_pages > 0);
	check_used();
	cgroup_put(OURS "/memory.max", "max");
}

/* The owner has moved to another cgroup, and the one in which it made its region is no more. */
static void outlives_its_group(void)
{
	enter(ROOT "/upa-short");
	make();
	enter(OURS);
	CHECK_EQUAL(rmdir(ROOT "/upa-short"), 0);
	usleep(200000); /* what it had goes to the one above */
	cgroup_put("/proc/sys/vm/drop_caches", "2");
	CHECK_EQUAL(stats(&r).reclaimed_pages, FRAMES - USED);
	check_used();
}

/* Many regions come and go while the limit is reached again and again. */
static void come_and_go_at_the_limit(void)
{
	pid_t neighbours[2];

	enter(OURS);
	cgroup_put(OURS "/memory.max", "100663296");
	for (int i = 0; i < 2; i++) {
		neighbours[i] = fork();
		if (!neighbours[i]) {
			for (int n = 0; n < 12; n++) {
				if (i) {
					pid_t child = fork();

					if (!child) {
						use_memory(48 << 20);
						_exit(0);
					}
					wait_status(child);
					continue;
				}
				r = make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, 4096, 0,
						4096);
				ioctl(r.fd, UPADEV_RESIZE,
				      &(struct upadev_resize){ .frames = 4096 });
				munmap(r.data, r.created.data_bytes);
				munmap((void *)(uintptr_t)r.shadow, r.created.shadow_bytes);
				munmap(r.state, r.created.state_bytes);
				close(r.fd);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQUAL(wait_status(neighbours[i]), 0);
	cgroup_put(OURS "/memory.max", "max");
}

TESTS(CASE(limit_takes_what_is_unused), CASE(limit_takes_unnamed_blocks), CASE(outlives_its_group),
      CASE(come_and_go_at_the_limit))
