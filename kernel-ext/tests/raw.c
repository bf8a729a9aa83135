/*
 * Raw modes: hardware entries stored by the process, at both levels; what they refuse; and the end
 * of it in every state.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "harness.h"

/*
 * Aligned as the tables are, or not: refused before a table is touched, and before the zero page
 * gets into one.
 */
static void refused_mremap(struct region *r, uint64_t mapped)
{
	size_t bytes = r->created.data_bytes, words = r->created.tables_bytes / sizeof(uint64_t);
	uint64_t *before = malloc(words * sizeof(*before));

	CHECK(before);
	for (size_t i = 0; i < words; i++)
		before[i] = r->tables[i] & ~0x60ULL; /* accessed and dirty are the CPU's */
	for (int odd = 0; odd < 2; odd++) {
		unsigned char *to = reserve(bytes + (2 << 20), 1 << 30);

		CHECK_ERRNO(mremap(r->data, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
				   to + (odd ? PAGE : 0)),
			    EBUSY);
		for (size_t i = 0; i < words; i++)
			CHECK_EQUAL(r->tables[i] & ~0x60ULL, before[i]);
	}
	CHECK_EQUAL(touch(r->data + mapped * PAGE, true), 0);
	free(before);
}

static void stores_entries(uint32_t mode)
{
	const uint64_t unit = mode == UPADEV_RAW_PMD ? 512 : 1; /* pages for each entry */
	struct region r = make_region(mode, 0, 262144, 4096, 8192);
	uint64_t slots = 262144 / unit, i, n = 4096 / unit;
	struct upadev_batch b;

	for (i = 0; i < slots; i++)
		if (mode == UPADEV_RAW_PTE || i)
			CHECK_EQUAL(r.tables[i], 0);
	CHECK_EQUAL(touch(r.data, false), SIGBUS);
	for (i = 0; i < n; i++)
		r.tables[slots - n + i] = r.entries[i];
	for (i = 0; i < n; i++) {
		volatile uint64_t *w = word(&r, (slots - n + i) * unit);

		CHECK_EQUAL(w[0], 0);
		CHECK_EQUAL(w[unit * 512 - 1], 0);
		*w = i + 1;
	}
	/* Moved to the front, in reverse order. */
	for (i = 0; i < n; i++) {
		r.tables[slots - n + i] = 0;
		r.tables[i] = r.entries[n - 1 - i];
	}
	CHECK_EQUAL(fsync(r.fd), UPADEV_DONE);
	CHECK_EQUAL(stats(&r).shootdowns >= 1, 1);
	for (i = 0; i < n; i++) {
		CHECK_EQUAL(*word(&r, i * unit), n - i);
		CHECK_EQUAL(touch(word(&r, (slots - n + i) * unit), false), SIGBUS);
	}
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 8192 }), 0);
	r.tables[n] = r.entries[2 * n - 1];
	CHECK_EQUAL(*word(&r, n * unit), 0);

	CHECK_ERRNO(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 512 }),
		    EOPNOTSUPP);
	CHECK_ERRNO(batch(&r, UPADEV_MAP, 0, 1, &b), EOPNOTSUPP);
	CHECK_ERRNO(batch(&r, UPADEV_UNMAP, 0, 1, &b), EOPNOTSUPP);
	CHECK_ERRNO(ioctl(r.fd, UPADEV_HARVEST, &(struct upadev_harvest){ .count = 1 }),
		    EOPNOTSUPP);
	CHECK_ERRNO(mmap(NULL, r.created.entries_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd,
			 UPADEV_MAP_ENTRIES),
		    EINVAL);
	CHECK_ERRNO(mprotect((void *)r.entries, r.created.entries_bytes, PROT_READ | PROT_WRITE),
		    EACCES);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, UPADEV_MAP_SHADOW),
		    EINVAL);
	CHECK_ERRNO(munmap(r.data + (512 << 20), 2 << 20), EINVAL);
	refused_mremap(&r, n * unit);
	/*
	 * Still mapped, with the tables still shown, left to exit(); and the data only once in a
	 * life.
	 */
	if (mode == UPADEV_RAW_PTE) {
		CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
		CHECK_ERRNO(mmap(reserve(r.created.data_bytes, 2 << 20), r.created.data_bytes,
				 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, r.fd,
				 UPADEV_MAP_DATA),
			    EBUSY);
		CHECK_ERRNO(fsync(r.fd), ENXIO);
		r.tables[0] = 1; /* a page of its own by now */
	}
}

/*
 * Leaves any words in the tables and ends in one of several ways. The kernel log is what tells
 * whether that went well.
 */
static void leaves_garbage(uint32_t mode, int ending, unsigned int seed)
{
	struct region r = make_region(mode, 0, 262144, 1024, 1024);
	uint64_t slots = mode == UPADEV_RAW_PMD ? 512 : 262144, i;
	uint64_t n = mode == UPADEV_RAW_PMD ? 2 : 1024;

	for (i = 0; i < slots; i++) {
		uint64_t random = (uint64_t)rand_r(&seed) << 33 ^ (uint64_t)rand_r(&seed) << 11 ^
				  (uint64_t)rand_r(&seed);

		switch (rand_r(&seed) % 4) {
		case 0:
			r.tables[i] = r.entries[random % n];
			break;
		case 1:
			r.tables[i] = random & ~1ULL;
			break; /* not present: looks like swap, migration, poison */
		case 2:
			r.tables[i] = 0;
			break;
		default:
			r.tables[i] = random | (random & 2 ? 1 : 0);
		}
	}
	switch (ending) {
	case 0:
		exit(0);
	case 1:
		kill(getpid(), SIGKILL);
		break;
	case 2:
		CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
		close(r.fd);
		break;
	case 3:
		close(r.fd);
		munmap((void *)r.tables, r.created.tables_bytes);
		break;
	default:
		execl("/bin/busybox", "true", NULL);
	}
	exit(0);
}

static void clean_end(uint32_t mode)
{
	long before = 0, lost;

	for (int i = 0; i < 20; i++) {
		int status;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (!child)
			leaves_garbage(mode, i % 5, (unsigned int)i);
		status = wait_status(child);
		if (status != 0 && status != SIGKILL)
			FAIL("mode=%u ending=%d status=%#x", mode, i % 5, status);
		if (i == 4) {
			usleep(300000);
			before = free_pages();
		}
	}
	usleep(500000);
	lost = before - free_pages();
	printf("# mode=%u lost=%ld pages after 15 ends of holders of 1024\n", mode, lost);
	CHECK(lost < 512);
}

static _Atomic bool scribbling;

static void *scribble(void *argument)
{
	struct region *r = argument;
	uint64_t x = 88172645463325252ULL, words = r->created.tables_bytes / 8;

	while (atomic_load(&scribbling))
		for (uint64_t i = 0; i < words; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			/*
			 * Present, of the pool, but not special: the kernel would drop a reference;
			 * or like swap.
			 */
			r->tables[i] = x & 1 ? r->entries[x % 2] & ~(1ULL << 9) : (x << 12) & ~1ULL;
		}
	return NULL;
}

/* munmap() beside a thread that goes on storing: into pages that are no tables any more. */
static void ends_beside_stores(uint32_t mode)
{
	for (int round = 0; round < 5; round++) {
		struct region r =
			make_region(mode, 0, mode == UPADEV_RAW_PMD ? 262144 : 16384, 1024, 1024);
		pthread_t thread;

		atomic_store(&scribbling, true);
		CHECK_EQUAL(pthread_create(&thread, NULL, scribble, &r), 0);
		usleep(20000);
		CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
		CHECK_EQUAL(touch(r.data, false), SIGSEGV);
		usleep(1000);
		atomic_store(&scribbling, false);
		pthread_join(thread, NULL);
		r.tables[5] = 4711;
		CHECK_EQUAL(r.tables[5], 4711);
		munmap((void *)(uintptr_t)r.tables, r.created.tables_bytes);
		munmap((void *)(uintptr_t)r.entries, r.created.entries_bytes);
		munmap(r.state, PAGE);
		close(r.fd);
	}
}

static void ends_beside_pte_stores(void)
{
	ends_beside_stores(UPADEV_RAW_PTE);
}
static void ends_beside_pmd_stores(void)
{
	ends_beside_stores(UPADEV_RAW_PMD);
}

static void stores_pte(void)
{
	stores_entries(UPADEV_RAW_PTE);
}
static void stores_pmd(void)
{
	stores_entries(UPADEV_RAW_PMD);
}
static void ends_pte(void)
{
	clean_end(UPADEV_RAW_PTE);
}
static void ends_pmd(void)
{
	clean_end(UPADEV_RAW_PMD);
}

TESTS(CASE(stores_pte), CASE(stores_pmd), CASE(ends_pte), CASE(ends_pmd),
      CASE(ends_beside_pte_stores), CASE(ends_beside_pmd_stores))
