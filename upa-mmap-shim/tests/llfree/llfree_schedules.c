/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llfree_schedules.c - every way in which two or three operations can meet with at most so many preemptions, each at
 * any atomic access of the allocator: what they have taken is theirs alone and holds what its last holder left there,
 * and every invariant is kept. Each operation is also killed at any access: the others go on, and recovery finds all
 * but the dead one's pages.
 *
 * The threads are contexts of one, and yield.h asks before each access who goes on. So a schedule is a list of accesses
 * at which another thread goes on, and one that fails can be run again.
 *
 *   llfree_schedules [--full] [--scenario N]
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <ucontext.h>

#include "check.h"
#include "llfree_scenarios.h"

#define MOST_BLOCKS 24
#define MOST_SWITCHES 4
#define STACK_BYTES (256u << 10)
#define NEVER UINT32_MAX

extern void (*yield_hook)(void);

static const struct scenario *now;
static struct upa_llfree a;
static size_t state_bytes;
static char *state, *snapshot;
static unsigned char *owner; /* 0, or thread + 1 */
static unsigned char *old, *old_snapshot;
static unsigned char *may_vanish, *may_vanish_snapshot;
static unsigned char *owner_snapshot;

static ucontext_t explorer, contexts[MOST_THREADS];
static char stacks[MOST_THREADS][STACK_BYTES];
static bool finished[MOST_THREADS], dead[MOST_THREADS], has_missed[MOST_THREADS];
static int current;
static uint32_t step;                         /* accesses so far */
static uint32_t switch_at[MOST_SWITCHES + 1]; /* before which another thread goes on, and which */
static int switch_to[MOST_SWITCHES + 1];
static int switches, switched;
static uint32_t kill_at; /* before which the thread that has its turn dies */
static struct operation in_the_midst[MOST_THREADS];
static uint64_t runs;

static void describe(void)
{
	fprintf(stderr, "%s: schedule:", now->name);
	for (int i = 0; i < switches; i++)
		fprintf(stderr, " %u->%d", switch_at[i], switch_to[i]);
	if (kill_at != NEVER)
		fprintf(stderr, " kill %u", kill_at);
	fprintf(stderr, "\n");
}

#define EXPECT(condition, ...)                                                                                         \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			describe();                                                                                    \
			CHECK(condition, __VA_ARGS__);                                                                 \
		}                                                                                                      \
	} while (0)

/* ---- what a thread does ----------------------------------------------------------------------- */

/* First byte of bytes[from .. end-1] that is not `value`; end if none. */
static uint64_t first_other(const unsigned char *bytes, uint64_t from, uint64_t end, unsigned char value)
{
	if (from == end || (bytes[from] == value && !memcmp(bytes + from, bytes + from + 1, end - from - 1)))
		return end;
	while (bytes[from] == value)
		from++;
	return from;
}

static void took(int me, uint64_t first, uint64_t n, uint32_t holds)
{
	uint64_t end = first + n;
	uint64_t p;

	EXPECT(first < a.pages && n <= a.pages - first, "first=%" PRIu64 " n=%" PRIu64, first, n);
	p = first_other(owner, first, end, 0);
	EXPECT(p == end, "page=%" PRIu64 " taken by %d is held by %d", p, me, owner[p] - 1);
	memset(owner + first, me + 1, n);
	EXPECT(holds & UPA_HOLDS_LAZY || first_other(may_vanish, first, end, 0) == end,
	       "first=%" PRIu64 " n=%" PRIu64 " contents=%#x: what may vanish is no longer known", first, n, holds);
	EXPECT(holds & UPA_HOLDS_STALE || first_other(old, first, end, 0) == end,
	       "first=%" PRIu64 " n=%" PRIu64 " contents=%#x: old bytes", first, n, holds);
	for (p = first; p < end;) {
		uint64_t length = 0;
		int64_t stale = upa_llfree_next_stale(&a, p, end - p, &length);
		uint64_t from = stale < 0 ? end : (uint64_t)stale;

		EXPECT(first_other(old, p, from, 0) == from,
		       "first=%" PRIu64 " n=%" PRIu64 ": old bytes are no longer known", first, n);
		p = from + length;
	}
}

static void gave(int me, const struct operation *o)
{
	uint64_t end = o->first + o->pages;
	uint64_t p = first_other(owner, o->first, end, (unsigned char)(me + 1));

	EXPECT(p == end, "page=%" PRIu64 " of %d freed by %d", p, owner[p] - 1, me);
	memset(owner + o->first, 0, o->pages);
	if (o->flags == UPA_PUT_UNTOUCHED)
		return;
	memset(old + o->first, !o->flags, o->pages);
	memset(may_vanish + o->first, 0, o->pages);
}

static void perform(int me, const struct operation *o)
{
	int64_t result;

	in_the_midst[me] = *o;
	switch (o->kind) {
	case GET:
		result = upa_llfree_get_run(&a, o->slot, o->pages, o->flags | UPA_GET_CONTENTS);
		EXPECT(result >= 0 || result == -ENOMEM, "result=%" PRId64, result);
		if (result >= 0)
			took(me, (uint64_t)upa_llfree_page(result), o->pages, upa_llfree_holds(result));
		break;
	case GET_AT:
		result = upa_llfree_get_at(&a, o->slot, o->first, o->pages);
		EXPECT(result >= 0 || result == -EBUSY, "result=%" PRId64, result);
		has_missed[me] = result < 0;
		if (result >= 0)
			took(me, o->first, o->pages, (uint32_t)result);
		break;
	case PUT:
		/* Of what it was to take before. */
		if (has_missed[me])
			break;
		gave(me, o);
		result = upa_llfree_put_run(&a, o->slot, o->first, o->pages, o->flags);
		EXPECT(!result, "result=%" PRId64, result);
		break;
	case DRAIN: upa_llfree_drain(&a); break;
	case LAZY:
		memset(may_vanish + o->first, 1, o->pages);
		EXPECT(!upa_llfree_set_lazy(&a, o->first, o->pages), "first=%" PRIu64, o->first);
		break;
	case TAINT:
		result = upa_llfree_taint(&a, o->first, o->pages);
		EXPECT(!result && upa_llfree_tainted(&a, o->first, 1) == 1, "result=%" PRId64, result);
		break;
	}
	in_the_midst[me] = (struct operation){ 0 };
}

static void thread_main(int me)
{
	for (int i = 0; i < 4 && (now->thread[me][i].pages || now->thread[me][i].kind == DRAIN); i++)
		perform(me, &now->thread[me][i]);
	finished[me] = true;
	/* uc_link leads back to the explorer. */
}

/* ---- who goes on ------------------------------------------------------------------------------ */

static void go_on_with(int next)
{
	int me = current;

	current = next;
	swapcontext(&contexts[me], &contexts[next]);
}

static void before_access(void)
{
	if (step++ == kill_at) {
		dead[current] = true;
		swapcontext(&contexts[current], &explorer);
	}
	if (switched < switches && step == switch_at[switched]) {
		int next = switch_to[switched++];

		if (!finished[next] && !dead[next] && next != current)
			go_on_with(next);
	}
}

static bool run_threads(void)
{
	int threads = 0;

	memcpy(state, snapshot, state_bytes);
	memcpy(owner, owner_snapshot, a.pages);
	memcpy(old, old_snapshot, a.pages);
	memcpy(may_vanish, may_vanish_snapshot, a.pages);
	memset(finished, 0, sizeof(finished));
	memset(dead, 0, sizeof(dead));
	memset(has_missed, 0, sizeof(has_missed));
	memset(in_the_midst, 0, sizeof(in_the_midst));
	for (int t = 0; t < MOST_THREADS && (now->thread[t][0].pages || now->thread[t][0].kind == DRAIN); t++) {
		getcontext(&contexts[t]);
		contexts[t].uc_stack.ss_sp = stacks[t];
		contexts[t].uc_stack.ss_size = STACK_BYTES;
		contexts[t].uc_link = &explorer;
		makecontext(&contexts[t], (void (*)(void))thread_main, 1, t);
		threads++;
	}
	step = 0;
	switched = 0;
	yield_hook = before_access;
	for (;;) {
		int t = 0;

		while (t < threads && (finished[t] || dead[t]))
			t++;
		if (t == threads)
			break;
		/* Who was interrupted goes on before who has not begun: a switch is there and back. */
		current = t;
		swapcontext(&explorer, &contexts[t]);
	}
	yield_hook = NULL;
	runs++;
	return switched == switches;
}

/* ---- what must be so afterwards --------------------------------------------------------------- */

static void check_end(void)
{
	uint64_t lost = 0, may_be_lost = 0;
	uint64_t free_pages = 0;
	struct upa_llfree_stats st;
	bool killed = false;
	char message[200] = "";

	for (int t = 0; t < MOST_THREADS; t++)
		if (dead[t]) {
			killed = true;
			may_be_lost += in_the_midst[t].kind == GET || in_the_midst[t].kind == GET_AT ||
						       in_the_midst[t].kind == PUT ?
					       in_the_midst[t].pages :
					       0;
		}
	if (killed)
		EXPECT(upa_llfree_recover(&a) >= 0, "recover");
	EXPECT(!upa_llfree_validate(&a, message, sizeof(message)), "%s", message);
	for (uint64_t p = 0, length = 0; p < a.pages; p += length) {
		int64_t at = upa_llfree_next(&a, p, a.pages - p, 1, &length);
		uint64_t end = at < 0 ? a.pages : (uint64_t)at;

		/* Allocated: somebody's, or lost. */
		while (p < end) {
			uint64_t like = first_other(owner, p, end, owner[p]);

			lost += owner[p] ? 0 : like - p;
			p = like;
		}
		if (at < 0)
			break;
		EXPECT(first_other(owner, p, p + length, 0) == p + length,
		       "page=%" PRIu64 " or one behind it is held and free", p);
		free_pages += length;
	}
	EXPECT(lost <= may_be_lost, "lost=%" PRIu64 " may_be_lost=%" PRIu64, lost, may_be_lost);
	upa_llfree_get_stats(&a, &st);
	EXPECT(st.free_pages == free_pages, "free_pages=%" PRIu64 " found=%" PRIu64, st.free_pages, free_pages);
	if (killed)
		return;
	/* All that is held goes back, and then all is there again. */
	for (uint64_t p = 0, end; p < a.pages; p = end) {
		end = first_other(owner, p, a.pages, owner[p]);
		if (owner[p])
			EXPECT(!upa_llfree_put_run(&a, 0, p, end - p, 0), "page=%" PRIu64 " n=%" PRIu64, p, end - p);
	}
	EXPECT(!upa_llfree_validate(&a, message, sizeof(message)), "%s", message);
	upa_llfree_drain(&a);
	EXPECT(upa_llfree_get_at(&a, 0, 0, a.pages) >= 0, "not all pages can be had");
	EXPECT(!upa_llfree_validate(&a, message, sizeof(message)), "%s", message);
}

static void prepare(const struct scenario *s)
{
	now = s;
	switches = 0;
	kill_at = NEVER;
	state_bytes = upa_llfree_state_size(s->pages, s->slots);
	state = map_state(state_bytes, 0);
	snapshot = malloc(state_bytes);
	owner = calloc(s->pages, 1);
	old = calloc(s->pages, 1);
	may_vanish = calloc(s->pages, 1);
	CHECK(!upa_llfree_init(&a, state, state_bytes, s->pages, s->slots), "%s", s->name);
	for (int i = 0; i < 10 && (s->before[i].pages || s->before[i].kind == DRAIN); i++)
		perform(0, &s->before[i]);
	for (int t = 0; t < MOST_THREADS; t++)
		for (int i = 0; i < 3 && s->holds[t][i].pages; i++)
			memset(owner + s->holds[t][i].first, t + 1, s->holds[t][i].pages);
	check_valid(&a);
	memcpy(snapshot, state, state_bytes);
	owner_snapshot = malloc(s->pages);
	old_snapshot = malloc(s->pages);
	may_vanish_snapshot = malloc(s->pages);
	memcpy(may_vanish_snapshot, may_vanish, s->pages);
	memcpy(owner_snapshot, owner, s->pages);
	memcpy(old_snapshot, old, s->pages);
}

/* All schedules with so many more switches, each behind the one before. */
static void explore(int more, int threads)
{
	uint32_t from = switches ? switch_at[switches - 1] : 0;

	for (uint32_t at = from + 1;; at++) {
		bool reached = false;

		for (int t = 0; t < threads; t++) {
			switch_at[switches] = at;
			switch_to[switches] = t;
			switches++;
			if (run_threads()) {
				reached = true;
				check_end();
				if (more > 1)
					explore(more - 1, threads);
			}
			switches--;
		}
		if (!reached)
			return;
	}
}

/* All schedules with so many switches in which a thread dies behind the last of them. */
static void explore_deaths(int more, int threads)
{
	uint32_t from = switches ? switch_at[switches - 1] : 0;

	for (kill_at = from;; kill_at++) {
		run_threads();
		if (!dead[0] && !dead[1] && !dead[2])
			break;
		check_end();
	}
	kill_at = NEVER;
	if (!more)
		return;
	for (uint32_t at = from + 1;; at++) {
		bool reached = false;

		for (int t = 0; t < threads; t++) {
			switch_at[switches] = at;
			switch_to[switches] = t;
			switches++;
			if (run_threads()) {
				reached = true;
				explore_deaths(more - 1, threads);
			}
			switches--;
		}
		if (!reached)
			return;
	}
}

int main(int argc, char **argv)
{
	int count = (int)(sizeof(scenarios) / sizeof(scenarios[0]));
	bool full = false;
	int only = -1;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--full"))
			full = true;
		else if (!strcmp(argv[i], "--scenario") && i + 1 < argc)
			only = atoi(argv[++i]);
	for (int i = 0; i < count; i++) {
		int threads = 0;

		if (only >= 0 && i != only)
			continue;
		prepare(&scenarios[i]);
		while (threads < MOST_THREADS &&
		       (now->thread[threads][0].pages || now->thread[threads][0].kind == DRAIN))
			threads++;
		runs = 0;
		run_threads();
		check_end();
		/* The number of schedules grows with the power of the accesses that the switches are. */
		explore(step < 300 ? 2 + full : 1 + full, threads);
		explore_deaths(step < 150 ? 1 + full : full, threads);
		printf("%2d %-60s %8" PRIu64 " schedules of up to %u accesses\n", i, now->name, runs, step);
		fflush(stdout);
		munmap(state, state_bytes);
		free(snapshot);
		free(owner);
		free(old);
		free(owner_snapshot);
		free(old_snapshot);
		free(may_vanish);
		free(may_vanish_snapshot);
	}
	return 0;
}
