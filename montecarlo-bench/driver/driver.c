/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.c - upa-driver: measures one contestant with one workload in one process, and prints samples.
 *
 * Output, on stdout, line by line:
 *
 *   upa-driver 1                      format and its version, always first
 *   fact NAME VALUE                   what was measured, how, and what else was seen; VALUE is the rest of the line
 *   point PHASE SIZE BATCH OPERATIONS BUSY_PS FAULTS FAILURES MOVED COUNT
 *   s PS PS PS ...                    the point's COUNT samples, at most 64 a line
 *   end POINTS                        always last: output without it is truncated
 *
 * SIZE in bytes, 0 for all sizes together. A sample is the time of one operation in picoseconds: the
 * mean of BATCH operations timed together, less the cost of the clock. BUSY_PS sums all measured time
 * of all threads. FAULTS are page faults during the operations, FAILURES operations that found no
 * memory, MOVED resizes that changed the address.
 *
 * Exit status: 0 done; 1 failed at run time; 2 used wrongly. One line on stderr says why.
 */
#include "replay.h"
#include "workload.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define FORMAT_VERSION 1
#define HUGE_BYTES (2ull << 20)
#define HOLD_STRIDE (64u << 10)
#define HOLD_SAMPLE (64ull << 20)

_Thread_local unsigned driver_thread;

static const struct allocator *const allocator_tables[] = {
	kernel_allocators,
	cache_allocators,
	upa_allocators,
	malloc_allocators,
};
static const struct workload *const workloads[] = {
	&touch_workload, &alloc_workload, &ring_workload, &resize_workload, &replay_workload,
};

static pthread_barrier_t barrier;

void workload_barrier(void)
{
	pthread_barrier_wait(&barrier);
}

_Noreturn void contestant_failed(const struct options *o, const char *what, uint64_t size)
{
	fprintf(stderr, "upa-driver: contestant %s %s: size=%" PRIu64 " seed=%" PRIu64 "\n", o->label, what, size,
		o->seed);
	exit(1);
}

uint64_t thread_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

void warm_huge_pages(uint64_t bytes)
{
	char *area;

	if (bytes < HUGE_BYTES)
		bytes = HUGE_BYTES;
	area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return;
	madvise(area, bytes, MADV_HUGEPAGE);
	touch(area, bytes);
	munmap(area, bytes);
}

/* Usage errors */

_Noreturn static void __attribute__((format(printf, 1, 2))) usage(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("upa-driver: ", stderr);
	vfprintf(stderr, format, arguments);
	fputs(" (upa-driver --help lists the options)\n", stderr);
	va_end(arguments);
	exit(2);
}

static uint64_t number(const char *option, const char *text, uint64_t low, uint64_t high)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < low || value > high)
		usage("--%s=%s: must be a whole number from %" PRIu64 " to %" PRIu64, option, text, low, high);
	return value;
}

static uint64_t bytes_of(const char *option, const char *text)
{
	uint64_t value;

	if (parse_bytes(text, &value))
		usage("--%s=%s: must be a size in bytes above 0, such as 4096, 64K, 8M or 1G", option, text);
	return value;
}

static void sizes_of(struct options *o, char *list)
{
	char *save, *item;

	for (item = strtok_r(list, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		if (o->size_count == MAX_SIZES)
			usage("--sizes: more than %u of them", MAX_SIZES);
		o->sizes[o->size_count++] = bytes_of("sizes", item);
	}
}

static const struct allocator *find_allocator(const char *name)
{
	for (unsigned t = 0; t < sizeof(allocator_tables) / sizeof(allocator_tables[0]); t++)
		for (const struct allocator *a = allocator_tables[t]; a->name; a++)
			if (!strcmp(a->name, name))
				return a;
	usage("no contestant '%s': upa-driver --list names them", name);
}

static const struct workload *find_workload(const char *name)
{
	for (unsigned i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
		if (!strcmp(workloads[i]->name, name))
			return workloads[i];
	usage("no workload '%s': upa-driver --list names them", name);
}

static void list(void)
{
	for (unsigned t = 0; t < sizeof(allocator_tables) / sizeof(allocator_tables[0]); t++)
		for (const struct allocator *a = allocator_tables[t]; a->name; a++)
			printf("contestant %s %s\n", a->name, a->summary);
	for (unsigned i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
		printf("workload %s %s\n", workloads[i]->name, workloads[i]->summary);
}

static void help(void)
{
	puts("upa-driver --contestant NAME --workload NAME [option...]   measures and prints samples\n"
	     "upa-driver --list                                          names contestants and workloads\n"
	     "upa-driver --print-requests N [--sampler, --seed, ...]     prints the first N request sizes;\n"
	     "                                                           of a trace, the operations with their\n"
	     "                                                           block and its bytes\n"
	     "upa-driver --hold BYTES                                    makes memory host-warm until stdin closes\n"
	     "\n"
	     "  --sizes A,B,...      block sizes of workloads touch, alloc and resize; suffixes K M G T\n"
	     "  --phase P            of touch: cold, warm or both (both)\n"
	     "  --live N             live blocks: touch (1), ring (512)\n"
	     "  --mode M             of resize: natural, in-place, relocate or copy (natural)\n"
	     "  --sampler S          of ring: douglas, log-uniform or fixed:SIZE (douglas); of replay: trace:FILE\n"
	     "  --smallest B --largest B   bounds of the sampler, powers of two (4K, 8M)\n"
	     "  --steps N            of ring: blocks measured in the steady state (512)\n"
	     "  --max-live BYTES     of ring: releases the oldest blocks rather than exceed it (2G);\n"
	     "                       of replay: touches no more\n"
	     "  --seed N             (1)\n"
	     "  --threads N          threads that run at once, each on a CPU of its own (1)\n"
	     "  --cpu N              CPU of the first thread (the last one); the others follow downwards\n"
	     "  --budget-ms N        time for each point of touch, alloc and resize (20)\n"
	     "  --min-samples N      for each such point, whatever the budget (1)\n"
	     "  --huge-warm BYTES    huge pages made host-warm before each point, for contestants that ask for them\n"
	     "  --label NAME         what to call the contestant in the output\n"
	     "  --expect-malloc TEXT fails unless malloc comes from a library whose path contains TEXT\n"
	     "  --check              verifies zeros and contents instead of measuring well");
}

/* Nanoseconds that the first touch of a page takes in memory that is mapped for it and given back. */
static uint64_t first_touch_ns(uint64_t bytes)
{
	uint64_t start, ns;
	char *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		return 0;
	madvise(area, bytes, MADV_NOHUGEPAGE);
	start = clock_ticks();
	touch(area, bytes);
	ns = clock_interval_ps(start, clock_ticks()) / 1000;
	munmap(area, bytes);
	return ns / (bytes / PAGE_BYTES);
}

/* Host-warm memory: a hypervisor may have taken free memory back, and then the first touch of it
 * costs several times as much. Touches `bytes`, then frees all but one page in every 64 KiB: what is free
 * is then in blocks too small to be taken back, as long as this process holds the rest. Prints what the
 * first touch of a page has cost, and what it costs from now on. */
static int hold(uint64_t bytes)
{
	uint64_t start, ns, again;
	char *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED) {
		fprintf(stderr, "upa-driver: --hold: mmap of %" PRIu64 " bytes: %s\n", bytes, strerror(errno));
		return 1;
	}
	madvise(area, bytes, MADV_NOHUGEPAGE);
	start = clock_ticks();
	touch(area, bytes);
	ns = clock_interval_ps(start, clock_ticks()) / 1000;
	for (uint64_t i = 0; i + HOLD_STRIDE <= bytes; i += HOLD_STRIDE)
		madvise(area + i + PAGE_BYTES, HOLD_STRIDE - PAGE_BYTES, MADV_DONTNEED);
	again = first_touch_ns(bytes < HOLD_SAMPLE ? bytes : HOLD_SAMPLE);
	printf("held %" PRIu64 " ns_per_page %" PRIu64 " again %" PRIu64 "\n", bytes, ns / (bytes / PAGE_BYTES), again);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}

/* Running */

struct run {
	const struct workload *workload;
	struct worker worker;
	int cpu;
};

/* The n-th allowed CPU below `first`, wrapping round, so that threads get CPUs of their own. */
static int pick_cpu(int first, unsigned n)
{
	cpu_set_t allowed;
	int cpu;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return -1;
	if (first < 0)
		for (first = CPU_SETSIZE - 1; first > 0 && !CPU_ISSET(first, &allowed); first--)
			;
	for (cpu = first; n; n--)
		do
			cpu = cpu ? cpu - 1 : CPU_SETSIZE - 1;
		while (!CPU_ISSET(cpu, &allowed));
	return cpu;
}

static void *run_thread(void *argument)
{
	struct run *run = argument;
	cpu_set_t cpu;

	driver_thread = run->worker.thread;
	CPU_ZERO(&cpu);
	if (run->cpu >= 0) {
		CPU_SET(run->cpu, &cpu);
		sched_setaffinity(0, sizeof(cpu), &cpu);
	}
	run->workload->run(&run->worker);
	return NULL;
}

/* 1, or 0 if the point never came up: a size no request had. */
static unsigned print_point(const struct options *o, const struct point *p, const struct run *runs, unsigned index)
{
	uint64_t operations = 0, busy = 0, faults = 0, failures = 0, moved = 0, count = 0, printed = 0;

	for (unsigned t = 0; t < o->threads; t++) {
		const struct recorder *r = &runs[t].worker.recorders[index];

		operations += r->operations;
		busy += r->busy_ps;
		faults += r->faults;
		failures += r->failures;
		moved += r->moved;
		count += r->count;
	}
	if (!operations && !failures)
		return 0;
	printf("point %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
	       p->phase, p->size, runs[0].worker.recorders[index].batch, operations, busy, faults, failures, moved,
	       count);
	for (unsigned t = 0; t < o->threads; t++) {
		const struct recorder *r = &runs[t].worker.recorders[index];

		for (uint32_t i = 0; i < r->count; i++)
			printf("%s %" PRIu64, printed++ % 64 ? "" : "\ns", r->ps[i]);
	}
	putchar('\n');
	return 1;
}

/* Not ru_maxrss of getrusage: that starts at the size of the program which has called exec. */
static void print_resident_sizes(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned long long kib;
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmHWM: %llu kB", &kib) == 1)
			printf("fact peak_rss_bytes %llu\n", kib * 1024);
		else if (sscanf(line, "VmRSS: %llu kB", &kib) == 1)
			printf("fact end_rss_bytes %llu\n", kib * 1024);
	}
	if (file)
		fclose(file);
}

/* What the CPU calls whoever runs this machine, such as KVMKVMKVM. */
static void print_hypervisor(void)
{
#ifdef __x86_64__
	unsigned a, name[4] = { 0 }, features, d;

	if (!__get_cpuid(1, &a, &d, &features, &d) || !(features & 1u << 31))
		return;
	__cpuid(0x40000000u, a, name[0], name[1], name[2]);
	printf("fact hypervisor %s\n", (const char *)name);
#endif
}

static int measure(const struct options *o, const struct workload *workload)
{
	static struct point points[MAX_POINTS];
	static struct run runs[MAX_THREADS];
	unsigned count = workload->plan(o, points), printed = 0;
	size_t bytes = count * sizeof(struct recorder);
	uint64_t metadata, managed;
	Dl_info library;

	if (!count)
		return workload == &replay_workload ? 1 : 2;
	clock_init();
	if (o->contestant->open && o->contestant->open())
		return 1;
	for (unsigned t = 0; t < o->threads; t++) {
		void *recorders =
			mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		if (recorders == MAP_FAILED) {
			fprintf(stderr, "upa-driver: no memory for %zu bytes of samples\n", bytes);
			return 1;
		}
		runs[t] = (struct run){ workload, { o, t, recorders }, pick_cpu(o->cpu, t) };
	}
	pthread_barrier_init(&barrier, NULL, o->threads);
	if (o->threads == 1) {
		run_thread(&runs[0]);
	} else {
		pthread_t threads[MAX_THREADS];

		for (unsigned t = 0; t < o->threads; t++)
			if (pthread_create(&threads[t], NULL, run_thread, &runs[t])) {
				fprintf(stderr, "upa-driver: cannot start thread %u of %u\n", t + 1, o->threads);
				return 1;
			}
		for (unsigned t = 0; t < o->threads; t++)
			pthread_join(threads[t], NULL);
	}
	printf("upa-driver %d\n", FORMAT_VERSION);
	printf("fact contestant %s\nfact workload %s\n", o->label, workload->name);
	printf("fact threads %u\nfact seed %" PRIu64 "\n", o->threads, o->seed);
	printf("fact clock %s\nfact clock_overhead_ps %.0f\nfact cpu %d\n", clock_is_tsc ? "tsc" : "clock_monotonic",
	       (double)clock_overhead_ticks * clock_ps_per_tick, runs[0].cpu);
	if (dladdr((void *)(uintptr_t)malloc, &library) && library.dli_fname)
		printf("fact malloc_library %s\n", library.dli_fname);
	print_hypervisor();
	print_resident_sizes();
	if (o->contestant->metadata) {
		o->contestant->metadata(&metadata, &managed);
		printf("fact metadata_bytes %" PRIu64 "\nfact managed_bytes %" PRIu64 "\n", metadata, managed);
	}
	if (workload->facts)
		workload->facts();
	for (unsigned i = 0; i < count; i++)
		printed += print_point(o, &points[i], runs, i);
	printf("end %u\n", printed);
	return fflush(stdout) || ferror(stdout);
}

static int is_power_of_two(uint64_t x)
{
	return x && !(x & (x - 1));
}

static int print_requests(const struct options *o, uint64_t n)
{
	static const char *const kinds[] = { "allocate", "resize", "release" };
	struct sampler sampler;
	struct replay replay;

	if (!strncmp(o->sampler, TRACE_PREFIX, strlen(TRACE_PREFIX))) {
		if (replay_read(&replay, o->sampler + strlen(TRACE_PREFIX)))
			return 1;
		for (uint64_t i = 0; i < n && i < replay.count; i++)
			printf("%s %" PRIu32 " %" PRIu64 "\n", kinds[replay.operations[i].kind],
			       replay.operations[i].block, replay.operations[i].bytes);
		return 0;
	}
	if (sampler_init(&sampler, o->sampler, o->seed, o->smallest, o->largest))
		return 2;
	while (n--)
		printf("%" PRIu64 "\n", sampler.next(&sampler));
	return 0;
}

static void expect_malloc(const char *text)
{
	Dl_info library;

	if (!dladdr((void *)(uintptr_t)malloc, &library) || !library.dli_fname || !strstr(library.dli_fname, text)) {
		fprintf(stderr,
			"upa-driver: malloc comes from %s, not from a library named like '%s': is LD_PRELOAD right?\n",
			library.dli_fname ? library.dli_fname : "nowhere known", text);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static char output[1 << 16];
	static const struct option longs[] = {
		{ "contestant", 1, 0, 'c' },
		{ "workload", 1, 0, 'w' },
		{ "sizes", 1, 0, 's' },
		{ "phase", 1, 0, 'p' },
		{ "live", 1, 0, 'l' },
		{ "mode", 1, 0, 'm' },
		{ "sampler", 1, 0, 'S' },
		{ "smallest", 1, 0, 'a' },
		{ "largest", 1, 0, 'z' },
		{ "steps", 1, 0, 'n' },
		{ "max-live", 1, 0, 'L' },
		{ "seed", 1, 0, 'r' },
		{ "threads", 1, 0, 't' },
		{ "cpu", 1, 0, 'C' },
		{ "budget-ms", 1, 0, 'b' },
		{ "min-samples", 1, 0, 'M' },
		{ "huge-warm", 1, 0, 'H' },
		{ "label", 1, 0, 'N' },
		{ "expect-malloc", 1, 0, 'e' },
		{ "check", 0, 0, 'k' },
		{ "list", 0, 0, 'i' },
		{ "print-requests", 1, 0, 'R' },
		{ "hold", 1, 0, 'd' },
		{ "help", 0, 0, 'h' },
		{ 0 },
	};
	static struct options o = {
		.sampler = "douglas",
		.mode = "natural",
		.phase = "both",
		.threads = 1,
		.cpu = -1,
		.seed = 1,
		.budget_ns = 20000000,
		.min_samples = 1,
		.steps = 512,
		.max_live = 2ull << 30,
		.smallest = 4096,
		.largest = 8ull << 20,
	};
	const struct workload *workload = NULL;
	uint64_t requests = 0;
	int choice;

	setvbuf(stdout, output, _IOFBF, sizeof(output));
	opterr = 0;
	while ((choice = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (choice) {
		case 'c': o.contestant = find_allocator(optarg); break;
		case 'w': workload = find_workload(optarg); break;
		case 's': sizes_of(&o, optarg); break;
		case 'p': o.phase = optarg; break;
		case 'l': o.live = number("live", optarg, 1, 4096); break;
		case 'm': o.mode = optarg; break;
		case 'S': o.sampler = optarg; break;
		case 'a': o.smallest = bytes_of("smallest", optarg); break;
		case 'z': o.largest = bytes_of("largest", optarg); break;
		case 'n': o.steps = number("steps", optarg, 1, 1u << 30); break;
		case 'L': o.max_live = bytes_of("max-live", optarg); break;
		case 'r': o.seed = number("seed", optarg, 0, UINT64_MAX); break;
		case 't': o.threads = (unsigned)number("threads", optarg, 1, MAX_THREADS); break;
		case 'C': o.cpu = (int)number("cpu", optarg, 0, CPU_SETSIZE - 1); break;
		case 'b': o.budget_ns = number("budget-ms", optarg, 0, 3600000) * 1000000; break;
		case 'M': o.min_samples = number("min-samples", optarg, 1, MAX_SAMPLES); break;
		case 'H': o.huge_warm = bytes_of("huge-warm", optarg); break;
		case 'N': o.label = optarg; break;
		case 'e': expect_malloc(optarg); break;
		case 'k': o.check = 1; break;
		case 'i': list(); return 0;
		case 'R': requests = number("print-requests", optarg, 1, 1u << 30); break;
		case 'd': clock_init(); return hold(bytes_of("hold", optarg));
		case 'h': help(); return 0;
		default: usage("'%s' is no option, or lacks its value", argv[optind - 1]);
		}
	}
	if (optind < argc)
		usage("'%s' is not understood", argv[optind]);
	if (!is_power_of_two(o.smallest) || !is_power_of_two(o.largest) || o.smallest > o.largest)
		usage("--smallest=%" PRIu64 " --largest=%" PRIu64
		      ": must be powers of two, the one not above the other",
		      o.smallest, o.largest);
	if (requests)
		return print_requests(&o, requests);
	if (!o.contestant || !workload)
		usage("--contestant and --workload must be given");
	if (workload == &replay_workload && strncmp(o.sampler, TRACE_PREFIX, strlen(TRACE_PREFIX)))
		usage("--sampler=%s: workload replay needs trace:FILE", o.sampler);
	if (workload != &ring_workload && workload != &replay_workload && !o.size_count)
		usage("--sizes must be given for workload %s", workload->name);
	if (strcmp(o.phase, "cold") && strcmp(o.phase, "warm") && strcmp(o.phase, "both"))
		usage("no phase '%s': choose cold, warm or both", o.phase);
	if (workload == &ring_workload) {
		struct sampler sampler;

		if (sampler_init(&sampler, o.sampler, o.seed, o.smallest, o.largest))
			return 2;
		if (sampler.fixed && (sampler.fixed < o.smallest || sampler.fixed > o.largest))
			usage("--sampler=%s: outside of --smallest=%" PRIu64 " to --largest=%" PRIu64, o.sampler,
			      o.smallest, o.largest);
		if (!strcmp(o.sampler, "douglas") && o.largest < 8ull << 20)
			usage("--sampler=douglas --largest=%" PRIu64 ": Douglas's sizes go up to 8M", o.largest);
	}
	if (workload != &ring_workload && o.live > 512)
		usage("--live=%" PRIu64 ": at most 512 for workload %s", o.live, workload->name);
	if (!o.live)
		o.live = workload == &ring_workload ? 512 : 1;
	if (!o.label)
		o.label = o.contestant->name;
	return measure(&o, workload);
}
