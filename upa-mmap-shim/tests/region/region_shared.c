/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_shared.c - a region in a file: several processes on it at once, files that are no regions or damaged ones,
 * and recovery after a process that was killed at any instant.
 *
 *   region_shared [ROUNDS]      rounds of kill and recover
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <upa/region.h>

#include "check.h"
#include "units.h"

#define REGION (32 * MIB)

static char directory[] = "/dev/shm/upa-test-XXXXXX";
static char path[sizeof(directory) + 20];

static struct upa_region *create(void)
{
	struct upa_region *r;
	int error = upa_region_create_shared(&r, path, REGION, 0);

	CHECK(!error, "error=%d", error);
	return r;
}

static struct upa_region *attach(void)
{
	struct upa_region *r;
	int error = upa_region_attach(&r, path);

	CHECK(!error, "error=%d", error);
	return r;
}

static void check_region(struct upa_region *r)
{
	char message[200] = "";
	int error = upa_region_validate(r, message, sizeof(message));

	CHECK(!error, "%s", message);
}

static void write_file(const void *bytes, size_t n, off_t length)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && !ftruncate(fd, length), "errno=%d", errno);
	close(fd);
}

static int attach_error(void)
{
	struct upa_region *r = (struct upa_region *)1;
	int error = upa_region_attach(&r, path);

	CHECK(error, "attached to a damaged region");
	CHECK(r == (struct upa_region *)1, "out was written");
	return error;
}

/* ---- files that are none ----------------------------------------------------------------------- */

static void test_create_errors(void)
{
	struct upa_region *r = NULL;

	CHECK(upa_region_create_shared(&r, "/nonexistent/file", MIB, 0) == -ENOENT, "no directory");
	CHECK(upa_region_create_shared(&r, directory, MIB, 0) == -EEXIST, "a directory");
	CHECK(upa_region_create_shared(&r, path, 0, 0) == -EINVAL && access(path, F_OK), "the file stays behind");
	CHECK(upa_region_create_shared(&r, path, UINT64_MAX, 0) == -EINVAL && access(path, F_OK),
	      "the file stays behind");
	CHECK(upa_region_create_shared(&r, path, 1ull << 47, 0) < 0 && access(path, F_OK), "the file stays behind");
	CHECK(upa_region_create_shared(&r, path, MIB, 64) == -EINVAL && access(path, F_OK), "the file stays behind");
	r = create();
	CHECK(upa_region_create_shared(&r, path, MIB, 0) == -EEXIST, "exists");
	CHECK(!upa_region_destroy(r), "destroy");
	CHECK(!access(path, F_OK), "the file is gone");
	CHECK(!upa_region_destroy(attach()), "destroy");
	unlink(path);
}

static void test_attach_errors(void)
{
	static char file[64 * 1024];
	static const size_t lengths[] = { 0,  1,    7,    8,    9,    16,   48,    55,    56,
					  57, 4095, 4096, 4097, 5000, 8192, 12288, 20000, 65536 };
	struct stat st;
	int fd;

	CHECK(attach_error() == -ENOENT, "missing");
	CHECK(!mkdir(path, 0700) && attach_error() == -EISDIR && !rmdir(path), "directory");
	CHECK(!symlink("/dev/zero", path) && attach_error() == -EBADMSG && !unlink(path), "device");
	CHECK(!mkfifo(path, 0600) && attach_error() == -EBADMSG && !unlink(path), "fifo");
	if (geteuid()) {
		write_file("", 0, 0);
		CHECK(!chmod(path, 0) && attach_error() == -EACCES && !unlink(path), "no permission");
	} else {
		/* Nobody may keep root out of a file, but this process may be somebody else. */
		pid_t child = fork();
		int status;

		CHECK(child >= 0, "errno=%d", errno);
		if (!child) {
			if (chmod(directory, 0755) || setuid(65534))
				_exit(1);
			_exit(attach_error() == -ENOENT ? 0 : 2);
		}
		CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
		write_file("", 0, 0);
		child = fork();
		CHECK(child >= 0, "errno=%d", errno);
		if (!child)
			_exit(setuid(65534) || attach_error() != -EACCES);
		CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
		CHECK(!unlink(path), "errno=%d", errno);
	}

	CHECK(!upa_region_destroy(create()), "destroy");
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && read(fd, file, sizeof(file)) == sizeof(file) && !fstat(fd, &st), "errno=%d", errno);
	close(fd);

	/* Truncated, at the start, in header, metadata and data. */
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		write_file(file, lengths[i] < sizeof(file) ? lengths[i] : sizeof(file), (off_t)lengths[i]);
		CHECK(attach_error() == (lengths[i] < 8 ? -EBADMSG : -ERANGE), "length=%zu error=%d", lengths[i],
		      attach_error());
	}
	write_file(file, sizeof(file), st.st_size - 1);
	CHECK(attach_error() == -ERANGE, "a byte short");
	write_file(file, sizeof(file), st.st_size);
	CHECK(!upa_region_destroy(attach()), "whole");
	write_file("#!/bin/sh\necho this is no region, however long it may be\n", 56, st.st_size);
	CHECK(attach_error() == -EBADMSG, "text");

	/* One bit of the header of the region, or of the state in it, is wrong. */
	for (size_t bit = 0; bit < (56 + 64) * 8; bit++) {
		struct {
			uint64_t magic;
			uint32_t abi, slots;
			uint64_t data_bytes, state_offset, state_bytes;
		} *h = (void *)file;
		size_t at = bit / 8 < 56 ? bit / 8 : h->state_offset + bit / 8 - 56;
		size_t field = bit / 8 < 56 ? bit / 8 : bit / 8 - 56;
		int error;

		file[at] ^= (char)(1 << bit % 8);
		write_file(file, sizeof(file), st.st_size);
		error = attach_error();
		CHECK(error == (field < 8 ? -EBADMSG : field < 12 ? -EPROTO : -ERANGE), "byte=%zu error=%d", at, error);
		file[at] ^= (char)(1 << bit % 8);
	}
	CHECK(!unlink(path), "errno=%d", errno);
}

/* A state of fewer slots than the region's header says fits into its place, but contradicts it. */
static void test_contradictory_slots(void)
{
	struct upa_region *r = create();
	struct upa_llfree inner;
	void *state = upa_region_state(r);
	size_t bytes = upa_region_state_bytes(r);

	memset(state, 0, bytes);
	CHECK(!upa_llfree_init(&inner, state, bytes, REGION / PAGE, 1), "init");
	CHECK(attach_error() == -ERANGE, "slots");
	memset(state, 0, bytes);
	CHECK(!upa_llfree_init(&inner, state, bytes, REGION / PAGE - 1, 8), "init");
	CHECK(attach_error() == -ERANGE, "pages");
	CHECK(!upa_region_destroy(r) && !unlink(path), "errno=%d", errno);
}

static void test_no_taint(void)
{
	struct upa_region *r = create();
	void *p = upa_region_map(r, MIB, 0);

	CHECK(p && upa_region_taint(r, p, MIB) == -EINVAL,
	      "a shared region cannot restore mappings of other processes");
	CHECK(!upa_region_destroy(r) && !unlink(path), "errno=%d", errno);
}

/* Of a shared region old bytes are overwritten, whoever left them, and counted. */
static void test_cleared(void)
{
	struct upa_region *r = create();
	struct upa_region_stats st;
	char *p = upa_region_map(r, 64 * PAGE, 0);

	CHECK(p, "errno=%d", errno);
	memset(p, 1, 64 * PAGE);
	CHECK(!upa_region_unmap(r, p, 64 * PAGE), "unmap");
	p = upa_region_map(r, 64 * PAGE, UPA_MAP_ZEROS);
	for (size_t i = 0; i < 64 * PAGE; i++)
		CHECK(!p[i], "offset=%zu", i);
	CHECK(!upa_region_unmap(r, p, 64 * PAGE) && !upa_region_map_at(r, p, 40 * PAGE, UPA_MAP_ZEROS), "a part");
	CHECK(!upa_region_get_stats(r, &st) && st.cleared_bytes == 104 * PAGE, "cleared=%" PRIu64, st.cleared_bytes);
	CHECK(!upa_region_destroy(r), "destroy");
	unlink(path);
}

/* ---- several processes ------------------------------------------------------------------------- */

struct entry {
	uint64_t offset, bytes;
}; /* of a block; bytes == 0: none */
#define ENTRIES 200

/* Who holds what, in memory that all processes share: owner[page] of the region. */
static _Atomic uint32_t *owner;

static void take(uint32_t who, uint64_t offset, uint64_t bytes)
{
	for (uint64_t page = offset / PAGE; page < (offset + bytes) / PAGE; page++) {
		uint32_t old = atomic_exchange(&owner[page], who);

		CHECK(!old, "page=%" PRIu64 " held by %u and %u", page, old, who);
	}
}

static void release(uint32_t who, uint64_t offset, uint64_t bytes)
{
	for (uint64_t page = offset / PAGE; page < (offset + bytes) / PAGE; page++) {
		uint32_t old = atomic_exchange(&owner[page], 0);

		CHECK(old == who, "page=%" PRIu64 " of %u taken by %u", page, who, old);
	}
}

static void mark(char *p, uint64_t bytes, uint64_t value)
{
	for (uint64_t i = 0; i < bytes; i += PAGE)
		*(uint64_t *)(p + i) = value ^ i;
}

static void check_marked(const char *p, uint64_t bytes, uint64_t value)
{
	for (uint64_t i = 0; i < bytes; i += PAGE)
		CHECK(*(const uint64_t *)(p + i) == (value ^ i), "page %" PRIu64 " of the block", i / PAGE);
}

static void work(uint32_t who, int steps)
{
	struct upa_region *r = attach();
	char *base = upa_region_base(r);
	struct entry mine[ENTRIES] = { 0 };
	uint64_t seed = who;

	for (int step = 0; step < steps; step++) {
		struct entry *e = &mine[random_below(&seed, ENTRIES)];
		uint64_t bytes = PAGE * (1 + random_below(&seed, random_below(&seed, 20) ? 16 : 700));
		char *p;

		if (!e->bytes) {
			p = upa_region_map(r, bytes, step & 1 ? UPA_MAP_ZEROS : 0);
			if (!p)
				continue;
			for (uint64_t i = 0; step & 1 && i < bytes; i += PAGE)
				CHECK(!*(uint64_t *)(p + i), "not zero");
			*e = (struct entry){ (uint64_t)(p - base), bytes };
			take(who, e->offset, e->bytes);
			mark(p, bytes, who);
			continue;
		}
		check_marked(base + e->offset, e->bytes, who);
		release(who, e->offset, e->bytes);
		p = step % 3 ? NULL : upa_region_resize(r, base + e->offset, e->bytes, bytes, 0);
		if (p) {
			check_marked(p, bytes < e->bytes ? bytes : e->bytes, who);
			*e = (struct entry){ (uint64_t)(p - base), bytes };
			take(who, e->offset, e->bytes);
			mark(p, bytes, who);
		} else {
			CHECK(!upa_region_unmap(r, base + e->offset, e->bytes), "unmap");
			e->bytes = 0;
		}
		if (step % 100 == 0)
			CHECK(upa_region_give_back(r, 4 * MIB) >= 0, "give back");
	}
	for (int i = 0; i < ENTRIES; i++)
		if (mine[i].bytes) {
			check_marked(base + mine[i].offset, mine[i].bytes, who);
			release(who, mine[i].offset, mine[i].bytes);
			CHECK(!upa_region_unmap(r, base + mine[i].offset, mine[i].bytes), "unmap");
		}
	CHECK(!upa_region_destroy(r), "destroy");
}

static void test_processes(int steps)
{
	struct upa_region *r = create();
	struct upa_region_stats st;
	pid_t children[3];
	int status;

	owner = map_state(REGION / PAGE * sizeof(*owner), 1);
	for (uint32_t i = 0; i < 3; i++) {
		children[i] = fork();
		CHECK(children[i] >= 0, "errno=%d", errno);
		if (!children[i]) {
			work(i + 1, steps);
			_exit(0);
		}
	}
	for (int i = 0; i < 3; i++)
		CHECK(waitpid(children[i], &status, 0) == children[i] && !status, "status=%#x", status);
	check_region(r);
	CHECK(!upa_region_get_stats(r, &st) && !st.allocated_bytes, "allocated=%" PRIu64, st.allocated_bytes);
	/* Given back is given back to the file system. */
	CHECK(upa_region_give_back(r, 0) >= 0, "give back");
	{
		struct stat file;

		CHECK(!stat(path, &file) && (uint64_t)file.st_blocks * 512 < 2 * MIB, "blocks=%ld",
		      (long)file.st_blocks);
	}
	CHECK(!upa_region_destroy(r) && !unlink(path), "errno=%d", errno);
}

/* ---- killed ------------------------------------------------------------------------------------ */

/*
 * What the victim holds for sure: an entry is emptied before a call that ends or moves the block, and filled after it
 * is done.
 */
struct ledger {
	_Atomic uint64_t steps;
	struct entry entries[ENTRIES];
};

static void be_killed(struct ledger *ledger, uint64_t seed)
{
	struct upa_region *r = attach();
	char *base = upa_region_base(r);

	for (;; atomic_fetch_add(&ledger->steps, 1)) {
		struct entry *e = &ledger->entries[random_below(&seed, ENTRIES)];
		struct entry old = *e;
		uint64_t bytes = PAGE * (1 + random_below(&seed, random_below(&seed, 10) ? 8 : 600));
		char *p;

		e->bytes = 0;
		atomic_signal_fence(memory_order_seq_cst);
		if (!old.bytes) {
			p = upa_region_map(r, bytes, 0);
		} else if (random_below(&seed, 2)) {
			p = upa_region_resize(r, base + old.offset, old.bytes, bytes, 0);
			if (!p)
				upa_region_unmap(r, base + old.offset, old.bytes);
		} else {
			upa_region_unmap(r, base + old.offset, old.bytes);
			p = NULL;
		}
		if (!p)
			continue;
		mark(p, bytes, (uint64_t)(p - base));
		e->offset = (uint64_t)(p - base);
		atomic_signal_fence(memory_order_seq_cst);
		e->bytes = bytes;
	}
}

static void test_recovery(int rounds)
{
	for (int round = 0; round < rounds; round++) {
		struct upa_region *r = create();
		char *base = upa_region_base(r);
		struct ledger *ledger = map_state(sizeof(*ledger), 1);
		struct upa_region_stats st;
		uint64_t live = 0;
		char *mine = upa_region_map(r, MIB, 0);
		pid_t child;
		int status;

		CHECK(mine, "errno=%d", errno);
		mark(mine, MIB, 77);
		child = fork();
		CHECK(child >= 0, "errno=%d", errno);
		if (!child)
			be_killed(ledger, (uint64_t)round);
		while (atomic_load(&ledger->steps) < 50)
			nanosleep(&(struct timespec){ 0, 100000 }, NULL);
		nanosleep(&(struct timespec){ 0, round * 37 % 3000 * 1000 }, NULL);
		kill(child, SIGKILL);
		CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		      "status=%#x", status);

		CHECK(upa_region_recover(r) >= 0, "recover");
		check_region(r);
		check_marked(mine, MIB, 77);
		for (int i = 0; i < ENTRIES; i++) {
			struct entry e = ledger->entries[i];

			if (!e.bytes)
				continue;
			check_marked(base + e.offset, e.bytes, e.offset);
			CHECK(!upa_region_unmap(r, base + e.offset, e.bytes), "what was allocated is not any more");
			live += e.bytes;
		}
		CHECK(!upa_region_unmap(r, mine, MIB), "unmap");
		/* Lost is at most the call the victim was in: the old block and the new one. */
		CHECK(!upa_region_get_stats(r, &st) && st.allocated_bytes <= 2 * 600 * PAGE,
		      "allocated=%" PRIu64 " of %" PRIu64, st.allocated_bytes, live);
		check_region(r);
		CHECK(!upa_region_destroy(r) && !unlink(path), "errno=%d", errno);
		munmap(ledger, sizeof(*ledger));
	}
}

int main(int argc, char **argv)
{
	const char *full = getenv("UPA_FULL");
	int rounds = argc > 1 ? atoi(argv[1]) : full && *full ? 1000 : 60;

	if (!mkdtemp(directory)) {
		printf("skipped: no directory in /dev/shm: %s\n", strerror(errno));
		return EXIT_SKIPPED;
	}
	snprintf(path, sizeof(path), "%s/region", directory);
	test_create_errors();
	test_attach_errors();
	test_contradictory_slots();
	test_no_taint();
	test_cleared();
	test_processes(full && *full ? 200000 : 10000);
	test_recovery(rounds);
	CHECK(!rmdir(directory), "errno=%d", errno);
	return 0;
}
