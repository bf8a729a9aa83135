/*
 * What the kernel's other calls on memory do with a region, by the owner or by others that may act
 * on it: advice, locks, protection, userfaultfd, /proc/PID/mem, ptrace, core files, pins, tables
 * that are read. None of them changes what a page holds, shows a frame to whoever has no mapping of
 * it, or keeps one when the region ends.
 */
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "allocator.h"

#define PAGES 1024ULL
#define TAGGED 600ULL
#define SYS_MSEAL 462     /* from 6.10 on */
#define PR_SET_MERGING 67 /* PR_SET_MEMORY_MERGE, from 6.4 on */

static struct region r;

static void tag_pages(void)
{
	for (uint64_t page = 0; page < TAGGED; page++) {
		r.shadow[page] = (uint32_t)page + 1;
		word(&r, page)[0] = word(&r, page)[511] = 7000 + page;
	}
}

static void check_tags(const char *after, long which)
{
	for (uint64_t page = 0; page < TAGGED; page++)
		if (word(&r, page)[0] != 7000 + page || word(&r, page)[511] != 7000 + page)
			FAIL("page=%" PRIu64 " holds %#" PRIx64 " after %s %ld", page,
			     word(&r, page)[0], after, which);
}

static void make(void)
{
	r = guarded(PAGES, PAGES);
	tag_pages();
}

/* The mapping works as before: pages go and come. */
static void still_works(void)
{
	uint32_t last = r.shadow[TAGGED - 1];

	r.shadow[TAGGED - 1] = 0;
	CHECK_EQUAL(unmap_pages(&r, TAGGED - 1, 1), 0);
	CHECK_EQUAL(touch(r.data + (TAGGED - 1) * PAGE, true), SIGBUS);
	r.shadow[TAGGED - 1] = last;
	check_tags("all", 0);
}

static void advice_of_all_kinds(void)
{
	make();
	for (int advice = 0; advice < 40; advice++) {
		madvise(r.data, r.created.data_bytes, advice);
		madvise(r.data + 3 * PAGE, PAGE, advice);
		madvise(r.data + 510 * PAGE, 5 * PAGE, advice);
		check_tags("advice", advice);
		/* Of the shadow table, what it says stays as well. */
		madvise((void *)(uintptr_t)r.shadow, r.created.shadow_bytes, advice);
		CHECK_EQUAL(r.shadow[5], 6);
	}
	still_works();
}

/* Another process that may, and one that may not. */
static void advice_by_others(void)
{
	static const int kinds[] = { MADV_WILLNEED, MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT, 25 };
	pid_t child;

	make();
	for (int user = 0; user < 2; user++) {
		child = fork();
		if (!child) {
			struct iovec v = { r.data, r.created.data_bytes };
			int owner = (int)syscall(SYS_pidfd_open, getppid(), 0);

			CHECK(owner >= 0);
			if (user)
				CHECK_EQUAL(setuid(65534), 0);
			for (int i = 0; i < 5; i++) {
				long done = syscall(SYS_process_madvise, owner, &v, 1, kinds[i], 0);

				if (user)
					CHECK_EQUAL(done, -1);
			}
			exit(0);
		}
		CHECK_EQUAL(wait_status(child), 0);
		check_tags("advice of user", user);
	}
	CHECK_EQUAL(stats(&r).map_calls, 0); /* MADV_WILLNEED by others is no UPADEV_MAP */
	still_works();
}

static void locked(void)
{
	struct region second;

	make();
	mlock(r.data, r.created.data_bytes);
	mlock2(r.data, PAGE, MLOCK_ONFAULT);
	CHECK_EQUAL(munlock(r.data, r.created.data_bytes), 0);
	CHECK_EQUAL(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
	still_works();
	second = guarded(512, 512);
	second.shadow[0] = 1;
	*word(&second, 0) = 1;
	CHECK_EQUAL(munmap(second.data, second.created.data_bytes), 0);
	CHECK_EQUAL(mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT), 0);
	map_data(&second);
	CHECK_EQUAL(*word(&second, 0), 1);
	CHECK_EQUAL(munlockall(), 0);
	still_works();
}

/* Neither by protection keys, nor sealed: that can no longer be unmapped, and ends all the same. */
static void protected(void)
{
	int key;

	make();
	for (int protection = 0; protection < 8; protection++) {
		CHECK_ERRNO(mprotect(r.data, r.created.data_bytes, protection), EACCES);
		check_tags("protection", protection);
	}
	key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
	if (key >= 0)
		CHECK_ERRNO(pkey_mprotect(r.data, r.created.data_bytes, PROT_READ | PROT_WRITE,
					  key),
			    EACCES);
	still_works();
	if (!syscall(SYS_MSEAL, r.data, r.created.data_bytes, 0)) {
		CHECK_ERRNO(munmap(r.data, r.created.data_bytes), EPERM);
		CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 512 }),
			    0);
		CHECK_EQUAL(touch(r.data + 550 * PAGE, false), SIGBUS);
		CHECK_EQUAL(*word(&r, 511), 7511);
	}
}

static int userfault(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd < 0)
		skip("no userfaultfd");
	if (!ioctl(fd, UFFDIO_API, &api))
		return fd;
	close(fd);
	return -1;
}

static int watch(int fd, void *start, size_t bytes, uint64_t mode)
{
	return ioctl(fd, UFFDIO_REGISTER,
		     &(struct uffdio_register){ .range = { (uintptr_t)start, bytes },
						.mode = mode });
}

static void not_by_userfaultfd(void)
{
	int fd = userfault(0);

	make();
	CHECK(fd >= 0);
	for (uint64_t mode = 1; mode < 8; mode++) {
		CHECK_ERRNO(watch(fd, r.data, r.created.data_bytes, mode), EINVAL);
		CHECK_ERRNO(watch(fd, (void *)(uintptr_t)r.shadow, r.created.shadow_bytes, mode),
			    EINVAL);
		CHECK_ERRNO(watch(fd, r.state, PAGE, mode), EINVAL);
	}
	CHECK_EQUAL(ioctl(fd, UFFDIO_COPY,
			  &(struct uffdio_copy){ .dst = (uintptr_t)r.data + (TAGGED + 1) * PAGE,
						 .src = (uintptr_t)r.data,
						 .len = PAGE }),
		    -1);
	CHECK_EQUAL(ioctl(fd, UFFDIO_ZEROPAGE,
			  &(struct uffdio_zeropage){
				  .range = { (uintptr_t)r.data + (TAGGED + 1) * PAGE, PAGE } }),
		    -1);
	still_works();
}

static uint64_t reclaim_all(void)
{
	struct upadev_reclaim request = { .pages = UINT64_MAX };

	CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM, &request), 0);
	return request.reclaimed;
}

/* A region with allocators, of which the first TAGGED pages and frames are in use. */
static void make_declared(uint32_t flags)
{
	struct upadev_allocators a = { 0 };
	struct allocator pages, frames;
	uint64_t end;

	r = make_region_with(UPADEV_GUARDED, flags, PAGES, PAGES, PAGES, 1 << 20);
	end = allocator_place(&pages, &r, 4096, PAGES);
	end = allocator_place(&frames, &r, end, PAGES);
	for (uint64_t i = TAGGED; i < PAGES; i++) {
		unit_put(&pages, i);
		unit_put(&frames, i);
	}
	a.pages = pages.where;
	a.frames = frames.where;
	a.marks_offset = end;
	CHECK_EQUAL(ioctl(r.fd, UPADEV_ALLOCATORS, &a), 0);
	tag_pages();
}

/*
 * From 6.7 on userfaultfd write-protects any mapping: it makes entries read-only, and leaves marks
 * in tables where there is none. The module takes them for neither frames nor mappings.
 */
static void write_protected(uint32_t flags)
{
	struct uffdio_writeprotect all;
	struct upadev_batch b;
	uint32_t free = TAGGED + 1;
	int fd = userfault(1 << 15 /* UFFD_FEATURE_WP_ASYNC */);

	if (fd < 0)
		skip("userfaultfd write-protects no such mapping");
	make_declared(flags);
	CHECK_EQUAL(watch(fd, r.data, r.created.data_bytes, UFFDIO_REGISTER_MODE_WP), 0);
	all = (struct uffdio_writeprotect){ .range = { (uintptr_t)r.data, r.created.data_bytes },
					    .mode = UFFDIO_WRITEPROTECT_MODE_WP };
	if (flags & UPADEV_CREATE_BLOCKS) {
		r.shadow[0] = UPADEV_SHADOW_BLOCK;
		CHECK_EQUAL(map_pages(&r, 0, 512), 0);
	}
	/* Of 600 entries some are there, some are not. */
	CHECK_EQUAL(unmap_pages(&r, 100, 100), 0);
	CHECK_EQUAL(ioctl(fd, UFFDIO_WRITEPROTECT, &all), 0);
	CHECK_EQUAL(batch(&r, UPADEV_UNMAP, TAGGED, PAGES - TAGGED, &b), 0);
	CHECK_EQUAL(b.changed, 0); /* nothing was mapped there */
	check_tags("protection", 1);
	tag_pages(); /* a store makes an entry writable again */
	check_tags("stores", 1);
	CHECK_EQUAL(ioctl(fd, UFFDIO_WRITEPROTECT, &all), 0);
	/* Unused frames are looked for among all entries. */
	CHECK_EQUAL(reclaim_all(), PAGES - TAGGED);
	check_tags("reclaim", 1);
	/* A page without an entry: by a batch, and by a touch. */
	CHECK_EQUAL(unmap_pages(&r, 0, PAGES), 0);
	CHECK_EQUAL(ioctl(fd, UFFDIO_WRITEPROTECT, &all), 0);
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 0, 300, &b), 0);
	CHECK_EQUAL(b.changed, 300);
	CHECK_EQUAL(b.stopped_at, ~0ULL);
	check_tags("map", 1);
	r.shadow[free] = free + 1;
	CHECK_EQUAL(word(&r, free)[0], 0);
	word(&r, free)[0] = 9;
	CHECK_EQUAL(ioctl(fd, UFFDIO_WRITEPROTECT, &all), 0);
	r.shadow[free] = 0;
	CHECK_EQUAL(unmap_pages(&r, free, 1), 0);
	CHECK_EQUAL(touch(r.data + free * PAGE, true), SIGBUS);
	/* The pool shrinks, and the region ends, with marks in its tables. */
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 512 }), 0);
	CHECK_EQUAL(touch(r.data + 520 * PAGE, false), SIGBUS);
	CHECK_EQUAL(word(&r, 511)[0], 7511);
	CHECK_EQUAL(ioctl(fd, UFFDIO_WRITEPROTECT, &all), 0);
	close(fd);
	CHECK_EQUAL(word(&r, 510)[0], 7510);
}

static void write_protected_pages(void)
{
	write_protected(0);
}

static void write_protected_and_tracked(void)
{
	write_protected(UPADEV_CREATE_TRACK);
}

static void write_protected_blocks(void)
{
	write_protected(UPADEV_CREATE_BLOCKS);
}

static void by_proc_mem(void)
{
	uint64_t value = 1;
	int fd = open("/proc/self/mem", O_RDWR);

	make();
	CHECK(fd >= 0);
	CHECK_ERRNO(pread(fd, &value, 8, (off_t)(uintptr_t)r.data), EIO);
	CHECK_ERRNO(pwrite(fd, &value, 8, (off_t)(uintptr_t)r.data), EIO);
	/* Not where nothing is mapped, either, nor across the border. */
	CHECK_ERRNO(pwrite(fd, &value, 8, (off_t)(uintptr_t)(r.data + TAGGED * PAGE)), EIO);
	/* The shadow table is memory of the process: what it says is checked as ever. */
	value = UINT64_MAX;
	CHECK_EQUAL(pwrite(fd, &value, 8, (off_t)(uintptr_t)&r.shadow[TAGGED]), 8);
	CHECK_EQUAL(touch(r.data + TAGGED * PAGE, false), SIGBUS);
	still_works();
}

static void by_ptrace(void)
{
	pid_t child = fork();
	int status;

	if (!child) {
		make();
		CHECK_EQUAL(ptrace(PTRACE_TRACEME, 0, NULL, NULL), 0);
		CHECK_EQUAL(raise(SIGSTOP), 0);
		CHECK_EQUAL(r.shadow[4], 99);
		r.shadow[4] = 5;
		still_works();
		exit(0);
	}
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK(WIFSTOPPED(status));
	/* A mapping is found by its file, whatever its address. */
	{
		char path[64], line[256];
		unsigned long start, offset, shadow = 0, data = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/maps", child);
		f = fopen(path, "r");
		CHECK(f);
		while (fgets(line, sizeof(line), f)) {
			if (!strstr(line, "/dev/upa") ||
			    sscanf(line, "%lx-%*x %*s %lx", &start, &offset) != 2)
				continue;
			if (offset == UPADEV_MAP_SHADOW)
				shadow = start;
			if (offset == UPADEV_MAP_DATA)
				data = start;
		}
		fclose(f);
		CHECK(shadow && data);
		CHECK_ERRNO(ptrace(PTRACE_PEEKDATA, child, data, NULL), EIO);
		CHECK_ERRNO(ptrace(PTRACE_POKEDATA, child, data, 1), EIO);
		CHECK_EQUAL(ptrace(PTRACE_POKEDATA, child, shadow + 16, 99 | 6ULL << 32), 0);
	}
	CHECK_EQUAL(ptrace(PTRACE_DETACH, child, NULL, NULL), 0);
	CHECK_EQUAL(wait_status(child), 0);
}

/* The data does not go into core files, nor does a touch of it from there bring anything. */
static void core_file(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct stat file;
	pid_t child;
	int status, fd = open("/proc/sys/kernel/core_pattern", O_WRONLY);

	if (fd < 0)
		skip("the kernel writes no core files");
	CHECK_EQUAL(write(fd, "/tmp/upa.core", 13), 13);
	close(fd);
	child = fork();
	if (!child) {
		r = guarded(32768, 32768); /* 128 MiB */
		tag_pages();
		CHECK_ERRNO(madvise(r.data, r.created.data_bytes, MADV_DODUMP), EINVAL);
		CHECK_EQUAL(setrlimit(RLIMIT_CORE, &all), 0);
		fd = open("/proc/self/coredump_filter", O_WRONLY);
		CHECK(fd >= 0);
		CHECK_EQUAL(write(fd, "0x1ff", 5), 5);
		signal(SIGABRT, SIG_DFL);
		abort();
	}
	status = wait_status(child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	CHECK(WCOREDUMP(status));
	CHECK_EQUAL(stat("/tmp/upa.core", &file), 0);
	unlink("/tmp/upa.core");
	if (file.st_size > 64 << 20)
		FAIL("core file of %lld bytes", (long long)file.st_size);
}

static ssize_t splice_page(int pipe, void *address)
{
	struct iovec v = { address, PAGE };

	return vmsplice(pipe, &v, 1, SPLICE_F_NONBLOCK);
}

static void end_region(void)
{
	CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
	CHECK_EQUAL(munmap((void *)(uintptr_t)r.shadow, r.created.shadow_bytes), 0);
	CHECK_EQUAL(munmap(r.state, r.created.state_bytes), 0);
	CHECK_EQUAL(close(r.fd), 0);
}

/* What asks for a page of memory to hold on to gets none of the data. */
static void not_pinned(void)
{
	struct iovec local = { &(uint64_t){ 0 }, 8 }, remote;
	int ends[2], mode;

	make();
	remote = (struct iovec){ r.data, 8 };
	CHECK_EQUAL(pipe(ends), 0);
	CHECK_ERRNO(splice_page(ends[1], r.data), EFAULT);
	CHECK_ERRNO(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
	CHECK_ERRNO(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_futex, r.data, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK_EQUAL(syscall(SYS_futex, r.data, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	CHECK_EQUAL(syscall(SYS_get_mempolicy, &mode, NULL, 0, r.data, 3 /* node of the page */),
		    -1);
	still_works();
	/* A page of the shadow table that is held outlives the region. */
	CHECK_EQUAL(splice_page(ends[1], (void *)(uintptr_t)r.shadow), PAGE);
	end_region();
	make();
	end_region();
	CHECK_EQUAL(read(ends[0], &mode, sizeof(mode)), sizeof(mode));
	CHECK_EQUAL(mode, 1);
}

/* The same of an entry of 2 MiB, which older kernels look up without the mapping. */
static void block_not_pinned(void)
{
	int ends[2];

	r = make_region(UPADEV_GUARDED, UPADEV_CREATE_BLOCKS, PAGES, PAGES, PAGES);
	r.shadow[0] = UPADEV_SHADOW_BLOCK | 1;
	CHECK_EQUAL(map_pages(&r, 0, 512), 0);
	if (stats(&r).block_entries != 1)
		skip("no 2 MiB of memory lie together");
	word(&r, 0)[0] = 4711;
	CHECK_EQUAL(pipe(ends), 0);
	for (uint64_t page = 0; page < 512; page += 73)
		CHECK_ERRNO(splice_page(ends[1], r.data + page * PAGE), EFAULT);
	CHECK_EQUAL(word(&r, 0)[0], 4711);
	end_region();
}

static void read_all(const char *path)
{
	static char text[1 << 16];
	int fd = open(path, O_RDONLY);

	if (fd < 0 && errno == ENOENT) /* a kernel without NUMA, say */
		return;
	CHECK(fd >= 0);
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Tables that are shown, and calls that move or merge pages. */
static void looked_at(void)
{
	void *pages[2];
	uint64_t entries[64];
	unsigned char resident[64];
	int status[2] = { 0 }, fd;

	for (int blocks = 0; blocks < 2; blocks++) {
		r = make_region(UPADEV_GUARDED, blocks ? UPADEV_CREATE_BLOCKS : 0, PAGES, PAGES,
				PAGES);
		tag_pages();
		if (blocks) {
			r.shadow[0] = UPADEV_SHADOW_BLOCK;
			CHECK_EQUAL(map_pages(&r, 0, 512), 0);
		}
		read_all("/proc/self/smaps");
		read_all("/proc/self/smaps_rollup");
		read_all("/proc/self/numa_maps");
		fd = open("/proc/self/pagemap", O_RDONLY);
		CHECK(fd >= 0);
		CHECK_EQUAL(pread(fd, entries, sizeof(entries), (uintptr_t)r.data / PAGE * 8),
			    (ssize_t)sizeof(entries));
		close(fd);
		for (int what = 1; what <= 5; what++) {
			char text[2] = { (char)('0' + what), 0 };

			put("/proc/self/clear_refs", text);
			check_tags("clear_refs", what);
		}
		CHECK_EQUAL(mincore(r.data, 64 * PAGE, resident), 0);
		pages[0] = r.data, pages[1] = r.data + 511 * PAGE;
		if (!syscall(SYS_move_pages, 0, 2UL, pages, NULL, status, 0))
			CHECK(status[0] < 0 && status[1] < 0);
		else
			CHECK_EQUAL(errno, ENOSYS); /* a kernel that moves none */
		syscall(SYS_mbind, r.data, r.created.data_bytes, 2, &(unsigned long){ 1 }, 2UL, 2);
		prctl(PR_SET_MERGING, 1, 0, 0, 0);
		CHECK_EQUAL(remap_file_pages(r.data, 4 * PAGE, 0, 8, 0), -1);
		check_tags("calls", blocks);
	}
	still_works();
}

TESTS(CASE(advice_of_all_kinds), CASE(advice_by_others), CASE(locked), CASE(protected),
      CASE(not_by_userfaultfd), CASE(write_protected_pages), CASE(write_protected_and_tracked),
      CASE(write_protected_blocks), CASE(by_proc_mem), CASE(by_ptrace), CASE(core_file),
      CASE(not_pinned), CASE(block_not_pinned), CASE(looked_at))
