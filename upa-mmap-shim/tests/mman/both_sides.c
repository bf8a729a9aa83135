/* SPDX-License-Identifier: Apache-2.0 */
/* What may differ, and how it is brought in line again, is said at the place. */
#include <sys/wait.h>

#ifndef PRELOADED
#include <upa/mman.h>
#endif

#include "mman/both_sides.h"
#include "mman/differential.h"

enum { SAME, DIFFERENT, DIVERGED };

static struct side kernel = KERNEL_SIDE;
#ifdef PRELOADED
static struct side upa = LIBC_SIDE;
#else
static struct side upa = { .name = "upa",
			   .map = upa_mmap,
			   .unmap = upa_munmap,
			   .remap = upa_mremap,
			   .advise = upa_madvise,
			   .protect = upa_mprotect };
#endif
long first_page = 0, end_page = INNER;
bool quiet, strict;
static int forks, failed_in_child;

#define SAY(...)                                                                                                       \
	do {                                                                                                           \
		if (!quiet)                                                                                            \
			fprintf(stderr, __VA_ARGS__);                                                                  \
	} while (0)

/* ---- what a page is -------------------------------------------------------------------------- */

static bool same_page(long page)
{
	static char left[PAGE], right[PAGE];
	bool there = mapped(&kernel, kernel.base + page * PAGE);
	bool readable, mine;

	if (there != mapped(&upa, upa.base + page * PAGE)) {
		SAY("page %ld: kernel %s, upa %s\n", page, there ? "mapped" : "free", there ? "free" : "mapped");
		return false;
	}
	/* Strictly, what is not mapped cannot be read. */
	if (!there && !strict)
		return true;
	readable = transfer(SYS_process_vm_readv, left, kernel.base + page * PAGE, PAGE);
	mine = transfer(SYS_process_vm_readv, right, upa.base + page * PAGE, PAGE);
	if (readable != mine) {
		SAY("page %ld: readable: kernel %d, upa %d\n", page, readable, mine);
		return false;
	}
	if (readable && memcmp(left, right, PAGE)) {
		SAY("page %ld: contents differ\n", page);
		return false;
	}
	return true;
}

static bool same_pages(long from, long to)
{
	if (from < first_page)
		from = first_page;
	if (to > end_page)
		to = end_page;
	for (; from < to; from++)
		if (!same_page(from))
			return false;
	return true;
}

/* Around what an operation has touched; all pages are looked at in the end. */
static bool same_around(const struct op *op)
{
	long pages = op->bytes / PAGE + 3;
	long new_pages = op->new_bytes / PAGE + 3;

	pages = pages < 0 || pages > 24 ? 24 : pages;
	new_pages = new_pages < 0 || new_pages > 24 ? 24 : new_pages;
	if (!same_pages(op->at / PAGE - 1, op->at / PAGE + pages))
		return false;
	return (op->kind != REMAP && op->kind != REMAP_MOVE) ||
	       same_pages(op->to / PAGE - 1, op->to / PAGE + new_pages);
}

/* ---- one operation on both sides ------------------------------------------------------------- */

static bool silent_success(const struct side *s)
{
	if (errno == ERRNO_BEFORE)
		return true;
	SAY("%s: success changed errno to %d\n", s->name, errno);
	return false;
}

static int verdict(bool kernel_ok, int kernel_errno, bool upa_ok, int upa_errno)
{
	if (kernel_ok == upa_ok && (kernel_ok || kernel_errno == upa_errno))
		return upa_ok && !silent_success(&upa) ? DIFFERENT : SAME;
	SAY("kernel: %s, upa: %s\n", kernel_ok ? "success" : strerror(kernel_errno),
	    upa_ok ? "success" : strerror(upa_errno));
	return DIFFERENT;
}

#define IN(side, offset) ((side)->base + (offset))

static int do_int(const struct op *op, int (*call)(const struct side *, const struct op *))
{
	bool kernel_ok;
	int kernel_errno;
	bool upa_ok;

	errno = ERRNO_BEFORE;
	kernel_ok = !call(&kernel, op);
	kernel_errno = errno;
	errno = ERRNO_BEFORE;
	upa_ok = !call(&upa, op);
	return verdict(kernel_ok, kernel_errno, upa_ok, errno);
}

static int call_unmap(const struct side *s, const struct op *op)
{
	return s->unmap(IN(s, op->at), (size_t)op->bytes);
}
static int call_protect(const struct side *s, const struct op *op)
{
	return s->protect(IN(s, op->at), (size_t)op->bytes, (int)op->protection);
}
static int call_advise(const struct side *s, const struct op *op)
{
	return s->advise(IN(s, op->at), (size_t)op->bytes, (int)op->flags);
}

static int call_lock(const struct side *s, const struct op *op)
{
	return s->lock(IN(s, op->at), (size_t)op->bytes);
}
static int call_unlock(const struct side *s, const struct op *op)
{
	return s->unlock(IN(s, op->at), (size_t)op->bytes);
}
static int call_sync(const struct side *s, const struct op *op)
{
	return s->sync(IN(s, op->at), (size_t)op->bytes, (int)op->flags);
}

static int call_resident(const struct side *s, const struct op *op)
{
	static unsigned char pages[INNER + 2 * BORDER];

	return s->resident(IN(s, op->at), (size_t)op->bytes, pages);
}

static int call_write(const struct side *s, const struct op *op)
{
	long value = op->flags;

	return transfer(SYS_process_vm_writev, &value, IN(s, op->at), sizeof(value)) ? (errno = ERRNO_BEFORE, 0) :
										       (errno = EFAULT, -1);
}

static void *call_map(const struct side *s, const struct op *op, void *address)
{
	int fd = op->flags & MAP_ANONYMOUS ? -1 : op->new_bytes ? 999 : s->files[!!(op->flags & MAP_SHARED)];

	return s->map(address, (size_t)op->bytes, (int)op->protection, (int)op->flags, fd, op->to);
}

static bool all_mapped(long at, long bytes)
{
	for (long page = at / PAGE; page < (at + page_up(bytes)) / PAGE; page++)
		if (!mapped(&kernel, kernel.base + page * PAGE))
			return false;
	return true;
}

/* Puts what a call has returned somewhere to the same place of both windows, where it can be compared. */
static int settle(void *theirs, void *ours, long bytes, long to)
{
	bool kernel_ok, upa_ok;
	int kernel_errno;

	bytes = page_up(bytes);
	/* Also if what upa has from the kernel has been put into a hole of the twin. */
	if (overlap(theirs, bytes, IN(&kernel, to), bytes) || overlap(ours, bytes, IN(&upa, to), bytes) ||
	    overlap(ours, bytes, IN(&kernel, first_page * PAGE), (end_page - first_page) * PAGE) ||
	    !one_mapping(theirs, bytes)) {
		CHECK(!kernel.unmap(theirs, (size_t)bytes), "errno=%d", errno);
		if (!upa.unmap(ours, (size_t)bytes))
			return SAME;
		SAY("upa: munmap of what upa returned: %s\n", strerror(errno));
		return DIFFERENT;
	}
	errno = ERRNO_BEFORE;
	kernel_ok = kernel.remap(theirs, (size_t)bytes, (size_t)bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
				 IN(&kernel, to)) != MAP_FAILED;
	kernel_errno = errno;
	CHECK(kernel_ok, "errno=%d", kernel_errno);
	errno = ERRNO_BEFORE;
	upa_ok = upa.remap(ours, (size_t)bytes, (size_t)bytes, MREMAP_MAYMOVE | MREMAP_FIXED, IN(&upa, to)) ==
		 IN(&upa, to);
	return verdict(kernel_ok, kernel_errno, upa_ok, errno);
}

static int do_map(const struct op *op, bool at)
{
	void *theirs, *ours;
	int kernel_errno, result;

	errno = ERRNO_BEFORE;
	theirs = call_map(&kernel, op, at ? IN(&kernel, op->at) : NULL);
	kernel_errno = errno;
	errno = ERRNO_BEFORE;
	ours = call_map(&upa, op, at ? IN(&upa, op->at) : NULL);
	result = verdict(theirs != MAP_FAILED, kernel_errno, ours != MAP_FAILED, errno);
	/*
	 * MAP_FIXED_NOREPLACE over the border of the region, or of what MADV_DONTFORK has kept from a child: upa may
	 * see something there.
	 */
	if (result == DIFFERENT && op->flags & MAP_FIXED_NOREPLACE && ours == MAP_FAILED && errno == EEXIST &&
	    (op->at < 0 || op->at + op->bytes > INNER * PAGE || forks))
		return DIVERGED;
	if (result != SAME || theirs == MAP_FAILED)
		return result;
	if (!at)
		return settle(theirs, ours, op->bytes, op->at);
	if ((char *)theirs - kernel.base == (char *)ours - upa.base)
		return SAME;
	SAY("mmap at %ld: not where it was asked for\n", op->at);
	return DIFFERENT;
}

static int do_remap(const struct op *op)
{
	bool whole = op->at % PAGE == 0 && op->bytes > 0 && all_mapped(op->at, op->bytes);
	bool several = whole && !one_mapping(IN(&kernel, op->at), page_up(op->bytes));
	bool border = op->at < 0 ? op->at + op->bytes > 0 : op->at < INNER * PAGE && op->at + op->bytes > INNER * PAGE;
	void *theirs, *ours;
	int kernel_errno, upa_errno, result;

	errno = ERRNO_BEFORE;
	theirs = kernel.remap(IN(&kernel, op->at), (size_t)op->bytes, (size_t)op->new_bytes, (int)op->flags,
			      IN(&kernel, op->to));
	kernel_errno = errno;
	/* Two mappings that touch are one to upa, which then does what the kernel refuses. */
	if (theirs == MAP_FAILED && kernel_errno == EFAULT && whole)
		return same_pages(first_page, end_page) ? SAME : DIVERGED;
	errno = ERRNO_BEFORE;
	ours = upa.remap(IN(&upa, op->at), (size_t)op->bytes, (size_t)op->new_bytes, (int)op->flags, IN(&upa, op->to));
	upa_errno = errno;
	/* Of two reasons to refuse, a free source and bad arguments, older kernels see the other first. */
	if (theirs == MAP_FAILED && ours == MAP_FAILED && !whole && kernel_errno == EFAULT && upa_errno == EINVAL)
		return SAME;
	/* And refuses, before 6.17, only after it has unmapped the target. */
	if (theirs == MAP_FAILED && ours == MAP_FAILED && kernel_errno == EFAULT && upa_errno == EFAULT &&
	    op->flags & MREMAP_FIXED)
		return same_pages(first_page, end_page) ? SAME : DIVERGED;
	/* Growing in place is luck; who had it gives it up. */
	if (!(op->flags & MREMAP_MAYMOVE) && op->new_bytes > op->bytes &&
	    (theirs == MAP_FAILED) != (ours == MAP_FAILED)) {
		struct side *lucky = ours == MAP_FAILED ? &kernel : &upa;

		if ((ours == MAP_FAILED ? upa_errno : kernel_errno) == ENOMEM) {
			CHECK(!lucky->unmap(IN(lucky, op->at + page_up(op->bytes)),
					    (size_t)(page_up(op->new_bytes) - page_up(op->bytes))),
			      "errno=%d", errno);
			return SAME;
		}
	}
	/*
	 * Which neighbours the kernel merges to one mapping depends on what has been touched; it may have merged only
	 * the twin's.
	 */
	if (theirs != MAP_FAILED && ours == MAP_FAILED && upa_errno == EFAULT && whole && !border && op->at >= 0 &&
	    !ordinary_pages(IN(&upa, op->at), page_up(op->bytes)) && !one_mapping(IN(&upa, op->at), page_up(op->bytes)))
		return DIVERGED;
	/* From 6.17 on the kernel moves several mappings, and holes, at once; before, as upa, it answers EFAULT. */
	if (theirs != MAP_FAILED && ours == MAP_FAILED && upa_errno == EFAULT && (border || several || !whole))
		return DIVERGED;
	errno = upa_errno;
	result = verdict(theirs != MAP_FAILED, kernel_errno, ours != MAP_FAILED, upa_errno);
	if (result != SAME || theirs == MAP_FAILED)
		return result;
	if (op->kind == REMAP_MOVE)
		return settle(theirs, ours, op->new_bytes, op->to);
	if ((char *)theirs - kernel.base == (char *)ours - upa.base)
		return SAME;
	/* MREMAP_DONTUNMAP without a place. */
	if (op->flags & MREMAP_DONTUNMAP)
		return settle(theirs, ours, op->new_bytes, op->to);
	SAY("mremap: result at %ld and %ld\n", (long)((char *)theirs - kernel.base), (long)((char *)ours - upa.base));
	return DIFFERENT;
}

/* The child goes on with the rest of the sequence, and then the parent does. */
static int do_fork(void)
{
	int status;
	pid_t child = forks++ < MAX_FORKS ? fork() : -1;

	if (child <= 0)
		return same_pages(first_page, end_page) ? SAME : DIFFERENT;
	CHECK(waitpid(child, &status, 0) == child, "errno=%d", errno);
	if (!status)
		return SAME;
	failed_in_child = WIFEXITED(status) ? WEXITSTATUS(status) : MAX_OPS;
	SAY("in a child, status %#x\n", status);
	return DIFFERENT;
}

static int execute(const struct op *op)
{
	switch (op->kind) {
	case WRITE: return mapped(&kernel, kernel.base + op->at / PAGE * PAGE) ? do_int(op, call_write) : SAME;
	case UNMAP: return do_int(op, call_unmap);
	case MAP_AT: return do_map(op, true);
	case MAP_NEW: return do_map(op, false);
	case PROTECT: return do_int(op, call_protect);
	case ADVISE: return do_int(op, call_advise);
	case LOCK: return do_int(op, call_lock);
	case UNLOCK: return do_int(op, call_unlock);
	case SYNC: return do_int(op, call_sync);
	case RESIDENT: return do_int(op, call_resident);
	case FORK: return do_fork();
	default: return do_remap(op);
	}
}

/* ---- a sequence ------------------------------------------------------------------------------ */

static void make_sides(void)
{
	char *reserve;
	struct side *sides[] = { &kernel, &upa };

	for (int i = 0; i < 4; i++)
		sides[i / 2]->files[i % 2] = filled_file(800);
	upa.base = upa.map(NULL, INNER * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#ifdef PRELOADED
	/* The region, of just this size: what is unmapped there stays mapped to the kernel. */
	CHECK(!upa.unmap(upa.base, PAGE), "errno=%d", errno);
	CHECK(kernel_map(upa.base, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
			      MAP_FAILED &&
		      errno == EEXIST,
	      "not served: base=%p errno=%d", (void *)upa.base, errno);
	CHECK(upa.map(upa.base, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		      upa.base,
	      "errno=%d", errno);
#else
	CHECK(upa.base == upa_region_base(upa_mman_region()), "base=%p", (void *)upa.base);
#endif

	/* As aligned as the region. */
	reserve = kernel_map(NULL, (INNER + 4 * BORDER + 512) * PAGE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(reserve != MAP_FAILED, "errno=%d", errno);
	kernel.base = (char *)(((uintptr_t)reserve + (2 * BORDER + 511) * PAGE) & -(512 * (uintptr_t)PAGE));
	CHECK(kernel_map(kernel.base, INNER * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == kernel.base,
	      "errno=%d", errno);
	/* Borders, where there is room beside the region. */
	for (int i = 0; i < 2; i++) {
		long at = i ? INNER * PAGE : -BORDER * PAGE;
		int flags = MAP_SHARED | MAP_ANONYMOUS;

		if (kernel_map(upa.base + at, BORDER * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, -1,
			       0) != upa.base + at)
			continue;
		CHECK(kernel_map(kernel.base + at, BORDER * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0) ==
			      kernel.base + at,
		      "errno=%d", errno);
		if (i)
			end_page = INNER + BORDER;
		else
			first_page = -BORDER;
	}
}

/*
 * VmFlags of all mappings of the region, each kind once. Without soft-stale, and without "may have guard
 * pages", which neighbours inherit when the kernel merges them and which means nothing by itself. Advice about huge
 * pages stays with free memory on purpose (lib/mman/advise.c).
 */
static void region_flags(char *out, size_t bytes)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[512];
	bool in = false;

	CHECK(smaps, "errno=%d", errno);
	out[0] = 0;
	while (fgets(line, sizeof(line), smaps)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			in = start < (unsigned long)upa.base + INNER * PAGE && end > (unsigned long)upa.base;
		else if (in && !strncmp(line, "VmFlags:", 8)) {
			static const char *const ignored[] = { " sd", " gu", " hg", " nh" };

			for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++) {
				char *flag = strstr(line, ignored[i]);

				if (flag)
					memmove(flag, flag + 3, strlen(flag + 3) + 1);
			}
			if (!strstr(out, line + 9) && strlen(out) + strlen(line) < bytes)
				strcat(out, line + 9);
		}
	}
	fclose(smaps);
}

/* The next holder finds ordinary memory that reads zero, whatever has been done to it. */
static bool good_as_new(const char *flags_before)
{
	char flags[2000];
	long start = first_page * PAGE;

	if (upa.unmap(upa.base + start, (size_t)((end_page - first_page) * PAGE))) {
		SAY("munmap of everything: %s\n", strerror(errno));
		return false;
	}
#ifndef PRELOADED
	char message[200] = "";

	if (upa_region_validate(upa_mman_region(), message, sizeof(message))) {
		SAY("invalid: %s\n", message);
		return false;
	}
#endif
	if (upa.map(NULL, INNER * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != upa.base) {
		SAY("pages have been lost\n");
		return false;
	}
	region_flags(flags, sizeof(flags));
	if (strcmp(flags, flags_before)) {
		SAY("flags of the region's mappings were: %sand are: %s", flags_before, flags);
		return false;
	}
	for (long i = 0; i < INNER * PAGE; i += 8)
		if (*(uint64_t *)(upa.base + i)) {
			SAY("page %ld does not read zero\n", i / PAGE);
			return false;
		}
	memset(upa.base, 1, INNER * PAGE);
	return true;
}

int both_sides_run(const struct op *ops, int count)
{
	static char flags[2000];

	make_sides();
	region_flags(flags, sizeof(flags));
	for (int i = 0; i < count; i++) {
		int result = execute(&ops[i]);

		if (result == DIVERGED)
			break;
		if (result == DIFFERENT || !(i == count - 1 ? same_pages(first_page, end_page) : same_around(&ops[i])))
			return failed_in_child ? failed_in_child : i + 1;
	}
	return good_as_new(flags) ? 0 : count + 1;
}
