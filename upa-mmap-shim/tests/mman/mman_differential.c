/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mman_differential.c - random sequences of calls, each made twice: through UPA on memory of the region and
 * through the kernel's own calls on a twin of the same shape. Results, errno, which pages are mapped, what
 * may be done to them and what they hold must agree. A sequence that disagrees is cut down to a minimal one.
 *
 *   mman_differential [SEED [SEQUENCES]]
 *   mman_differential --replay 'OPERATIONS'    as a failing run prints them
 *
 * The window is a whole small region and a border of foreign (shared) pages on either side. Every sequence runs
 * in a process of its own.
 *
 * Compiled twice: UPA's side are the upa_*() functions, or (PRELOADED) libc's as the preloaded library answers them,
 * forks, locks and residency among them.
 */
#include <sys/wait.h>

#include "mman/both_sides.h"
#include "mman/differential.h"

static const char *const kind_names[KINDS] = { "write",   "munmap",  "mmap-at",     "mmap-new", "mprotect",
					       "madvise", "mremap",  "mremap-move", "mlock",    "munlock",
					       "msync",   "mincore", "fork" };

/* ---- sequences ------------------------------------------------------------------------------- */

/* Pages where things meet: the borders of the region and of its children. */
static long random_page(uint64_t *seed)
{
	switch (random_below(seed, 4)) {
	case 0: return first_page + (long)random_below(seed, (uint64_t)-first_page + 30);
	case 1: return 490 + (long)random_below(seed, 40);
	case 2: return end_page - 1 - (long)random_below(seed, (uint64_t)(end_page - INNER) + 30);
	default: return (long)random_below(seed, 30);
	}
}

static long random_bytes(uint64_t *seed, long at)
{
	long most = end_page - at / PAGE - (at < 0 && at % PAGE != 0 ? 1 : 0);
	long pages = 1 + (long)random_below(seed, random_below(seed, 8) ? 12 : 700);

	if (!random_below(seed, 40))
		return 0;
	if (pages > most)
		pages = most;
	return pages * PAGE - (random_below(seed, 6) ? 0 : (long)random_below(seed, PAGE));
}

static struct op random_op(uint64_t *seed)
{
	static const int weights[] = {
		WRITE,   WRITE,   WRITE,   UNMAP,    UNMAP,  MAP_AT, MAP_AT,
		MAP_NEW, PROTECT, PROTECT, ADVISE,   ADVISE, REMAP,  REMAP_MOVE,
#ifdef PRELOADED
		LOCK,    UNLOCK,  SYNC,    RESIDENT, FORK,
#endif
	};
	struct op op = { .kind = PICK(seed, weights) };

	op.at = random_page(seed) * PAGE;
	if (op.kind != WRITE && op.kind != MAP_NEW && !random_below(seed, 40))
		op.at += 1 + (long)random_below(seed, PAGE - 1);
	op.bytes = random_bytes(seed, op.at);
	op.protection = PICK(seed, protections);
	switch (op.kind) {
	case WRITE:
		op.at += 8 * (long)random_below(seed, PAGE / 8);
		op.flags = (long)(random_next(seed) >> 1);
		break;
	case SYNC: op.flags = (long)random_below(seed, 9); break;
	case RESIDENT: op.bytes = op.bytes > (INNER + 2 * BORDER) * PAGE ? PAGE : op.bytes; break;
	case UNMAP:
	case PROTECT:
		/* Lengths that overflow. */
		if (!random_below(seed, 30))
			op.bytes = op.kind == PROTECT || random_below(seed, 2) ?
					   -1 - (long)random_below(seed, 2 * PAGE) :
					   (long)(1ull << 62);
		break;
	case ADVISE:
		op.flags = PICK(seed, advices);
		if (!random_below(seed, 30))
			op.bytes = -1 - (long)random_below(seed, PAGE - 1);
		break;
	case MAP_AT:
	case MAP_NEW:
		op.flags = PICK(seed, map_flags);
		op.to = random_below(seed, 10) ? (long)random_below(seed, 4) * PAGE : 100; /* offset in the file */
		op.new_bytes = !random_below(seed, 20);                                    /* a bad descriptor */
		if (op.kind == MAP_AT)
			op.flags |= random_below(seed, 3) ? MAP_FIXED : MAP_FIXED_NOREPLACE;
		break;
	case REMAP: {
		static const int flags[] = { 0,
					     0,
					     MREMAP_MAYMOVE | MREMAP_FIXED,
					     MREMAP_MAYMOVE | MREMAP_FIXED,
					     MREMAP_FIXED,
					     64,
					     MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
					     MREMAP_DONTUNMAP,
					     MREMAP_MAYMOVE | MREMAP_DONTUNMAP };

		op.flags = PICK(seed, flags);
		op.to = random_page(seed) * PAGE + (random_below(seed, 30) ? 0 : 8);
		op.new_bytes =
			random_below(seed, 2) ? op.bytes : random_bytes(seed, op.flags & MREMAP_FIXED ? op.to : op.at);
		if (op.flags & MREMAP_FIXED && op.to + page_up(op.new_bytes) > end_page * PAGE)
			op.new_bytes = end_page * PAGE - op.to;
		if (op.flags & MREMAP_DONTUNMAP && !(op.flags & MREMAP_FIXED))
			op.kind = REMAP_MOVE;
		if (op.kind == REMAP)
			break;
	}
	/* fallthrough */
	case REMAP_MOVE:
		op.flags |= MREMAP_MAYMOVE;
		op.at = (long)random_below(seed, 30) * PAGE;
		op.bytes = PAGE * (1 + (long)random_below(seed, 20));
		op.new_bytes = op.flags & MREMAP_DONTUNMAP ?
				       op.bytes :
				       PAGE * (1 + (long)random_below(seed, random_below(seed, 9) ? 20 : 300));
		op.to = (600 + (long)random_below(seed, 100)) * PAGE;
		break;
	}
	return op;
}
static int run_apart(const struct op *ops, int count, bool silent)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "errno=%d", errno);
	if (!child) {
		quiet = silent;
		_exit(both_sides_run(ops, count));
	}
	CHECK(waitpid(child, &status, 0) == child, "errno=%d", errno);
	if (!WIFEXITED(status) && !silent)
		fprintf(stderr, "killed by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : count + 1;
}

static void print_ops(const struct op *ops, int count)
{
	fprintf(stderr, "--replay '");
	for (int i = 0; i < count; i++)
		fprintf(stderr, "%s%d %ld %ld %ld %ld %ld %ld", i ? "; " : "", ops[i].kind, ops[i].at, ops[i].bytes,
			ops[i].to, ops[i].new_bytes, ops[i].flags, ops[i].protection);
	fprintf(stderr, "'\n");
	for (int i = 0; i < count; i++)
		fprintf(stderr, "  %-12s page=%ld%+ld bytes=%ld to=%ld new_bytes=%ld flags=%#lx protection=%#lx\n",
			kind_names[ops[i].kind], ops[i].at / PAGE, ops[i].at % PAGE, ops[i].bytes, ops[i].to,
			ops[i].new_bytes, ops[i].flags, ops[i].protection);
}

/* Leaves out operations as long as the rest still fails. */
static void shrink(struct op *ops, int count)
{
	for (bool shorter = true; shorter;) {
		shorter = false;
		for (int i = count - 1; i >= 0; i--) {
			struct op without[MAX_OPS];

			memcpy(without, ops, (size_t)i * sizeof(*ops));
			memcpy(without + i, ops + i + 1, (size_t)(count - i - 1) * sizeof(*ops));
			if (!run_apart(without, count - 1, true))
				continue;
			memcpy(ops, without, (size_t)--count * sizeof(*ops));
			shorter = true;
		}
	}
	run_apart(ops, count, false);
	print_ops(ops, count);
}

static int replay(const char *text)
{
	struct op ops[MAX_OPS];
	int count = 0, used;

	while (count < MAX_OPS &&
	       sscanf(text, "%d %ld %ld %ld %ld %ld %ld%n", &ops[count].kind, &ops[count].at, &ops[count].bytes,
		      &ops[count].to, &ops[count].new_bytes, &ops[count].flags, &ops[count].protection, &used) == 7) {
		CHECK(ops[count].kind >= 0 && ops[count].kind < KINDS, "operation=%d", count);
		count++;
		text += used;
		text += strspn(text, "; ");
	}
	print_ops(ops, count);
	return run_apart(ops, count, false) ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *full = getenv("UPA_FULL");
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint64_t sequences = argc > 2 ? strtoull(argv[2], NULL, 0) : full && *full ? 5000 : 100;

#ifdef PRELOADED
	const char *value = getenv("UPA_STRICT");

	strict = value && *value == '1';
	value = getenv("UPA_REGION_BYTES");
	CHECK(value && !strcmp(value, "4M"), "to be run with UPA_REGION_BYTES=4M");
#else
	setenv("UPA_REGION_BYTES", "4M", 1);
#endif
	if (argc == 3 && !strcmp(argv[1], "--replay"))
		return replay(argv[2]);
	for (uint64_t seed = first; seed < first + sequences; seed++) {
		struct op ops[MAX_OPS];
		uint64_t state = seed;
		int failed;

		for (int i = 0; i < MAX_OPS; i++)
			ops[i] = random_op(&state);
		failed = run_apart(ops, MAX_OPS, true);
		if (failed) {
			fprintf(stderr, "seed=%" PRIu64 " fails after %d operations\n", seed, failed);
			shrink(ops, failed > MAX_OPS ? MAX_OPS : failed);
			return 1;
		}
	}
	printf("%" PRIu64 " sequences of %d calls\n", sequences, MAX_OPS);
	return 0;
}
