/* SPDX-License-Identifier: Apache-2.0 */
/* random_player.c - see random_player.h. */
#include <sys/wait.h>

#include "random_player.h"

#define LARGE_PAGES 3000l
#define CHILD_OPS 12

const char *const kind_names[KINDS] = { "mmap",       "munmap",   "mremap",  "mremap-fixed", "mremap-dontunmap",
					"mmap-fixed", "mprotect", "madvise", "mlock",        "munlock",
					"write",      "fill",     "fork",    "brk" };

static const struct side sides[2] = { KERNEL_SIDE, LIBC_SIDE };
bool quiet;

#define SAY(...)                                                                                                       \
	do {                                                                                                           \
		if (!quiet)                                                                                            \
			fprintf(stderr, __VA_ARGS__);                                                                  \
	} while (0)

/* ---- comparing ------------------------------------------------------------------------------------- */

static bool same_page(const struct block *b, long page)
{
	char left[PAGE], right[PAGE];
	char *at[2] = { b->on[0] + page * PAGE, b->on[1] + page * PAGE };
	bool there = mapped(&sides[0], at[0]);
	bool readable;

	if (there != mapped(&sides[1], at[1])) {
		SAY("page %ld of %ld: mapped %d and %d\n", page, b->pages, there, !there);
		return false;
	}
	readable = transfer(SYS_process_vm_readv, left, at[0], PAGE);
	if (there && readable != transfer(SYS_process_vm_readv, right, at[1], PAGE)) {
		SAY("page %ld of %ld: readable %d and %d\n", page, b->pages, readable, !readable);
		return false;
	}
	if (there && readable && memcmp(left, right, PAGE)) {
		SAY("page %ld of %ld: contents differ\n", page, b->pages);
		return false;
	}
	return true;
}

static bool same_block(const struct block *b, long from, long pages)
{
	/* Ends and some between: the last look at everything is at the end. */
	for (long i = from > 0 ? from - 1 : 0; i < b->pages && i <= from + pages; i += pages > 24 ? 1 + pages / 24 : 1)
		if (!same_page(b, i))
			return false;
	return true;
}

static bool same_all(const struct player *p)
{
	for (int i = 0; i < p->blocks_now; i++)
		for (long page = 0; page < p->blocks[i].pages; page++)
			if (!same_page(&p->blocks[i], page))
				return false;
	return true;
}

/* Results that are 0 or -1, or addresses, with their errno. */
static bool agree(const long result[2], const int error[2])
{
	if ((result[0] == -1) == (result[1] == -1) && (result[0] != -1 || error[0] == error[1]) &&
	    (result[1] == -1 || error[1] == ERRNO_BEFORE))
		return true;
	SAY("kernel: %s, libc: %s\n", result[0] == -1 ? strerror(error[0]) : "success",
	    result[1] == -1 ? strerror(error[1]) : "success");
	return false;
}

/*
 * The kernel drops what MADV_FREE leaves when it likes, at MADV_PAGEOUT for one if no child of another thread shares it
 * just then. Written to again, pages hold what they held or zeros, and keep it.
 */
static bool write_anew(const struct block *b, long from, long pages)
{
	static const char zeros[PAGE];
	char held[2][PAGE];

	for (long i = from; i < from + pages; i++) {
		char *at[2] = { b->on[0] + i * PAGE, b->on[1] + i * PAGE };
		bool readable = transfer(SYS_process_vm_readv, held[0], at[0], PAGE);

		if (readable != transfer(SYS_process_vm_readv, held[1], at[1], PAGE) ||
		    (readable && memcmp(held[0], held[1], PAGE) && memcmp(held[0], zeros, PAGE) &&
		     memcmp(held[1], zeros, PAGE))) {
			SAY("page %ld of %ld differs after MADV_FREE\n", i, b->pages);
			return false;
		}
		/* Not where a guard is. */
		for (int s = 0; readable && s < 2; s++)
			CHECK(transfer(SYS_process_vm_writev, held[0], at[s], PAGE), "errno=%d", errno);
	}
	return true;
}

#define ON_BOTH(call)                                                                                                  \
	for (int s = 0; s < 2; s++) {                                                                                  \
		const struct side *side = &sides[s];                                                                   \
                                                                                                                       \
		errno = ERRNO_BEFORE;                                                                                  \
		result[s] = (long)(call);                                                                              \
		error[s] = errno;                                                                                      \
	}

/* ---- blocks ---------------------------------------------------------------------------------------- */

static void add(struct player *p, char *kernel, char *upa, long pages, bool locked)
{
	p->blocks[p->blocks_now++] = (struct block){ { kernel, upa }, pages, locked };
}

/* Takes a part out of a block; what is left of it are up to two blocks. */
static void carve(struct player *p, int i, long from, long pages)
{
	struct block b = p->blocks[i];

	p->blocks[i] = p->blocks[--p->blocks_now];
	if (from)
		add(p, b.on[0], b.on[1], from, b.locked);
	if (from + pages < b.pages)
		add(p, b.on[0] + (from + pages) * PAGE, b.on[1] + (from + pages) * PAGE, b.pages - from - pages,
		    b.locked);
}

/*
 * The kernel moves what is one mapping, and which neighbours it merges depends on where they have been: no business of
 * a program.
 */
static bool movable(char *const at[2], long bytes)
{
	return one_mapping(at[0], bytes) && one_mapping(at[1], bytes);
}

/* ---- the heap -------------------------------------------------------------------------------------- */

/*
 * Its contents are known: pages at `at` hold their own address. Somebody else may have moved the break; then all begins
 * anew.
 */
static bool move_break(struct player *p, long pages)
{
	char *now = sbrk(0);
	char *to;

	if (now != p->heap_end || !p->heap)
		p->heap = p->heap_end = (char *)(((uintptr_t)now + PAGE - 1) & -(uintptr_t)PAGE);
	to = p->heap + pages * PAGE;
	for (char *at = p->heap; at < p->heap_end && at < to; at += PAGE)
		if (*(char **)at != at) {
			SAY("heap page %ld has lost its contents\n", (at - p->heap) / PAGE);
			return false;
		}
	if (brk(to) || sbrk(0) != to) {
		SAY("brk: %s\n", strerror(errno));
		return false;
	}
	for (char *at = p->heap_end; at < to; at += PAGE) {
		if (*(char **)at || at[PAGE - 1]) {
			SAY("new heap page %ld is not zero\n", (at - p->heap) / PAGE);
			return false;
		}
		*(char **)at = at;
		at[PAGE - 1] = 1;
	}
	p->heap_end = to;
	return true;
}

/* ---- operations ------------------------------------------------------------------------------------ */

static bool play(struct player *p, int first, int count, bool child);

static bool fork_here(struct player *p, int next)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		return true;
	if (!child) {
		bool same = same_all(p);

		/* What is kept from a child is a hole there, into which anything may be mapped. */
		if (same && !p->kept_from_children)
			same = play(p, next, next + CHILD_OPS < p->count ? next + CHILD_OPS : p->count, true) &&
			       same_all(p);
		_exit(!same);
	}
	CHECK(waitpid(child, &status, 0) == child, "errno=%d", errno);
	if (status)
		SAY("in a child, status %#x\n", status);
	return !status;
}

static bool new_block(struct player *p, const struct op *op)
{
	size_t bytes = (size_t)op->pages * PAGE;
	long result[2];
	int error[2];

	ON_BOTH(side->map(NULL, bytes, (int)op->more, (int)op->flags,
			  op->flags & MAP_ANONYMOUS ? -1 : p->files[s][!!(op->flags & MAP_SHARED)], 0));
	if (!agree(result, error))
		return false;
	if (result[0] == -1)
		return true;
	add(p, (char *)result[0], (char *)result[1], op->pages, false);
	return same_block(&p->blocks[p->blocks_now - 1], 0, op->pages);
}

/* An operation that takes a part of a block away, and may put another in its place. */
static bool rearrange(struct player *p, const struct op *op, int i, long from, long pages)
{
	struct block b = p->blocks[i];
	char *at[2] = { b.on[0] + from * PAGE, b.on[1] + from * PAGE };
	size_t bytes = (size_t)pages * PAGE;
	long new_pages = op->kind == RESIZE ? op->more : pages;
	int onto = (int)(op->more % p->blocks_now);
	long result[2];
	int error[2];

	if (op->kind == UNMAP) {
		ON_BOTH(side->unmap(at[s], bytes));
		if (agree(result, error) && !result[0])
			carve(p, i, from, pages);
		return agree(result, error);
	}
	if (!movable(at, (long)bytes))
		return true;
	if (op->kind == MOVE_ONTO) {
		struct block target = p->blocks[onto];

		if (onto == i || target.pages < pages)
			return true;
		ON_BOTH(side->remap(at[s], bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, target.on[s]));
		if (!agree(result, error) || result[0] == -1)
			return agree(result, error);
		if (result[0] != (long)target.on[0] || result[1] != (long)target.on[1]) {
			SAY("mremap: not where it was asked for\n");
			return false;
		}
		p->blocks[onto].locked |= b.locked;
		if (!same_block(&target, 0, pages))
			return false;
		carve(p, i, from, pages);
		return true;
	}
	/* The kernel unlocks all of a mapping of which MREMAP_DONTUNMAP moves a part, and mappings differ. */
	if (op->kind == LEAVE && b.locked)
		return true;
	ON_BOTH(side->remap(at[s], bytes, (size_t)new_pages * PAGE,
			    MREMAP_MAYMOVE | (op->kind == LEAVE ? MREMAP_DONTUNMAP : 0), NULL));
	if (!agree(result, error) || result[0] == -1)
		return agree(result, error);
	if (op->kind == RESIZE)
		carve(p, i, from, pages);
	else if (!same_block(&b, from, pages))
		return false;
	add(p, (char *)result[0], (char *)result[1], new_pages, b.locked);
	return same_block(&p->blocks[p->blocks_now - 1], 0, new_pages);
}

static bool change(struct player *p, const struct op *op, struct block *b, long from, long pages)
{
	char *at[2] = { b->on[0] + from * PAGE, b->on[1] + from * PAGE };
	size_t bytes = (size_t)pages * PAGE;
	static _Thread_local char text[64 * PAGE];
	long result[2];
	int error[2];

	switch (op->kind) {
	case MAP_OVER:
		ON_BOTH(side->map(at[s], bytes, (int)op->more, (int)op->flags | MAP_FIXED,
				  op->flags & MAP_ANONYMOUS ? -1 : p->files[s][!!(op->flags & MAP_SHARED)], 0));
		break;
	case PROTECT: ON_BOTH(side->protect(at[s], bytes, (int)op->flags)); break;
	case ADVISE:
		if (op->flags == MADV_FREE &&
		    !(ordinary_pages(at[0], (long)bytes) && ordinary_pages(at[1], (long)bytes)))
			return true;
		p->kept_from_children |= op->flags == MADV_DONTFORK;
		ON_BOTH(side->advise(at[s], bytes, (int)op->flags));
		if (op->flags == MADV_FREE && !result[0] && !result[1] && !write_anew(b, from, pages))
			return false;
		break;
	case LOCK:
		b->locked = true;
		ON_BOTH(side->lock(at[s], bytes));
		break;
	case UNLOCK: ON_BOTH(side->unlock(at[s], bytes)); break;
	default:
		/* Where the kernel finds that it may write, the processor does as well. */
		memset(text, (int)op->more, sizeof(text));
		bytes = op->kind == WRITE ? 8 : bytes < sizeof(text) ? bytes : sizeof(text);
		for (int s = 0; s < 2; s++) {
			result[s] = transfer(SYS_process_vm_writev, text, at[s], bytes) ? 0 : -1;
			error[s] = result[s] ? EFAULT : ERRNO_BEFORE;
			if (!result[s] && transfer(SYS_process_vm_readv, text, at[s], bytes))
				memset(at[s], (int)op->more + 1, bytes);
		}
	}
	return agree(result, error) && same_block(b, from, pages);
}

static bool execute(struct player *p, int index, bool child)
{
	const struct op *op = &p->ops[index];
	struct block *b;
	long from, pages;
	int i;

	if (op->kind == FORK)
		return child || fork_here(p, index + 1);
	if (op->kind == BREAK)
		return child || p->id || move_break(p, op->pages);
	if (op->kind == NEW)
		return p->blocks_now >= MAX_BLOCKS - 4 || new_block(p, op);
	if (!p->blocks_now)
		return true;
	i = (int)(op->block % p->blocks_now);
	b = &p->blocks[i];
	from = op->from % b->pages;
	pages = 1 + op->pages % (b->pages - from);
	if (op->kind == UNMAP && p->blocks_now >= MAX_BLOCKS - 4)
		return rearrange(p, op, i, 0, b->pages);
	if (op->kind <= LEAVE)
		return p->blocks_now >= MAX_BLOCKS - 4 || rearrange(p, op, i, from, pages);
	return change(p, op, b, from, pages);
}

static bool play(struct player *p, int first, int end, bool child)
{
	for (int i = first; i < end; i++)
		if (!execute(p, i, child)) {
			if (!child)
				p->failed_at = i + 1;
			return false;
		}
	return true;
}

struct op random_op(uint64_t *seed, int thread)
{
	static const int weights[] = { NEW,   NEW,      NEW,      UNMAP,   UNMAP,   UNMAP,  RESIZE, RESIZE, MOVE_ONTO,
				       LEAVE, MAP_OVER, MAP_OVER, PROTECT, PROTECT, ADVISE, ADVISE, ADVISE, ADVISE,
				       LOCK,  UNLOCK,   WRITE,    WRITE,   FILL,    FILL,   FILL,   FILL,   BREAK };
	struct op op = { .thread = thread, .kind = random_below(seed, 50) ? PICK(seed, weights) : FORK };
	bool large = !random_below(seed, 30);

	op.block = (long)random_below(seed, 1000);
	op.from = random_below(seed, 3) ? (long)random_below(seed, 600) : 0;
	op.pages = random_below(seed, 2) ? (long)random_below(seed, 64) : 9999;
	op.more = (long)random_below(seed, 250);
	switch (op.kind) {
	case NEW:
		op.pages = 1 + (long)random_below(seed, large ? LARGE_PAGES : 70);
		/* fallthrough */
	case MAP_OVER:
		/* Beyond the end of a file there is SIGBUS, which is all that can be learnt of it. */
		op.flags = random_below(seed, 3) || op.pages > 70 ? MAP_PRIVATE | MAP_ANONYMOUS : PICK(seed, map_flags);
		op.more = random_below(seed, 3) ? PROT_READ | PROT_WRITE : PICK(seed, protections);
		break;
	case RESIZE: op.more = 1 + (long)random_below(seed, large ? LARGE_PAGES : 100); break;
	case PROTECT: op.flags = PICK(seed, protections); break;
	case ADVISE: op.flags = random_below(seed, 2) ? MADV_DONTNEED : PICK(seed, advices); break;
	case BREAK: op.pages = (long)random_below(seed, 400); break;
	}
	return op;
}

void *play_all(void *player)
{
	struct player *p = player;
	long result[2];
	int error[2];

	for (int s = 0; s < 4; s++)
		p->files[s / 2][s % 2] = filled_file(80);
	if (play(p, 0, p->count, false) && !same_all(p))
		p->failed_at = p->count + 1;
	while (p->blocks_now && !p->failed_at) {
		struct block b = p->blocks[--p->blocks_now];

		ON_BOTH(side->unmap(b.on[s], (size_t)b.pages * PAGE));
		if (!agree(result, error))
			p->failed_at = p->count + 1;
	}
	for (int s = 0; s < 4; s++)
		close(p->files[s / 2][s % 2]);
	return NULL;
}
