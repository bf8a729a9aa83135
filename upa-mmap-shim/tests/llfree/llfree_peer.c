/* SPDX-License-Identifier: Apache-2.0 */
/* llfree_peer.c - see llfree_peer.h; a shared library, so that Java can run C threads in its own process. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "check.h"
#include "llfree_peer.h"

#define MAX_BLOCKS 256
#define MAX_FAULTS 20

struct block {
	uint64_t first;
	uint64_t pages;
};

struct peer {
	struct upa_llfree view;
	_Atomic uint32_t *owner;
	_Atomic uint32_t *content;
	uint32_t id;
	uint64_t operations;
	uint64_t seed;
	uint64_t held;
	uint64_t quota;
	int64_t faults;
	int blocks;
	struct block block[MAX_BLOCKS];
	pthread_t thread;
};

static void fault(struct peer *p, const char *what, uint64_t page, uint32_t other)
{
	if (p->faults++ < MAX_FAULTS)
		fprintf(stderr, "llfree_peer: id=%u %s page=%" PRIu64 " other=%u\n", p->id, what, page, other);
}

/* Notes that pages are ours, and that those not called stale are clean. */
static void claim(struct peer *p, uint64_t first, uint64_t pages)
{
	uint64_t clean = first;

	for (uint64_t i = first; i < first + pages; i++) {
		uint32_t nobody = 0;

		if (!atomic_compare_exchange_strong(&p->owner[i], &nobody, p->id))
			fault(p, "got a page that is held", i, nobody);
	}
	while (clean < first + pages) {
		uint64_t length = 0;
		int64_t stale = upa_llfree_next_stale(&p->view, clean, first + pages - clean, &length);
		uint64_t end = stale < 0 ? first + pages : (uint64_t)stale;

		for (; clean < end; clean++)
			if (atomic_load_explicit(&p->content[clean], memory_order_relaxed))
				fault(p, "got as clean a page with old bytes", clean, p->content[clean]);
		clean += length;
	}
	p->held += pages;
	if (p->blocks < MAX_BLOCKS)
		p->block[p->blocks++] = (struct block){ first, pages };
	else
		fault(p, "has no room for a block", first, 0);
}

static void give(struct peer *p, uint64_t first, uint64_t pages)
{
	static const uint32_t flags[] = { 0, 0, 0, 0, UPA_PUT_ABSENT, UPA_PUT_ZEROED, UPA_PUT_UNTOUCHED, 0 };
	uint32_t flag = flags[random_below(&p->seed, 8)];
	int error;

	for (uint64_t i = first; i < first + pages; i++) {
		uint32_t me = p->id;

		if (flag != UPA_PUT_UNTOUCHED)
			atomic_store_explicit(&p->content[i], flag ? 0 : p->id, memory_order_relaxed);
		if (!atomic_compare_exchange_strong(&p->owner[i], &me, 0))
			fault(p, "lost a page", i, me);
	}
	error = upa_llfree_put_run(&p->view, p->id, first, pages, flag);
	if (error)
		fault(p, "could not free what it holds", first, (uint32_t)-error);
	p->held -= pages;
}

/* Frees a block, or a part of it: then what is left becomes one block or two. */
static void put(struct peer *p, bool whole)
{
	int i = (int)random_below(&p->seed, (uint64_t)p->blocks);
	struct block b = p->block[i];
	uint64_t lo = 0;
	uint64_t hi = b.pages;

	if (!whole && p->blocks < MAX_BLOCKS - 2 && random_below(&p->seed, 3) == 0) {
		lo = random_below(&p->seed, b.pages);
		hi = lo + 1 + random_below(&p->seed, b.pages - lo);
	}
	p->block[i] = p->block[--p->blocks];
	if (lo)
		p->block[p->blocks++] = (struct block){ b.first, lo };
	if (hi < b.pages)
		p->block[p->blocks++] = (struct block){ b.first + hi, b.pages - hi };
	give(p, b.first + lo, hi - lo);
}

static void get(struct peer *p)
{
	uint32_t flags = (uint32_t)random_below(&p->seed, 4);
	uint64_t kind = random_below(&p->seed, 16);
	uint64_t pages;
	int64_t page;

	if (kind < 10) {
		uint32_t order = (uint32_t)random_below(&p->seed, kind < 7 ? 4 : UPA_MAX_ORDER + 1);

		pages = 1u << order;
		page = upa_llfree_get(&p->view, p->id, order, flags);
	} else if (kind < 14) {
		pages = 1 + random_below(&p->seed, kind < 12 ? 40 : PEER_MAX_BLOCK);
		/* Now and then a tree, which is taken in one step. */
		if (kind == 13 && random_below(&p->seed, 8) == 0)
			pages = UPA_TREE_PAGES;
		page = upa_llfree_get_run(&p->view, p->id, pages, flags);
	} else {
		/* A page, or a whole child as a pager takes it. */
		pages = kind == 14 ? 1 : UPA_CHILD_PAGES;
		page = (int64_t)(random_below(&p->seed, p->view.pages / pages) * pages);
		if (upa_llfree_get_at(&p->view, p->id, (uint64_t)page, pages) < 0)
			return;
	}
	if (page >= 0)
		claim(p, (uint64_t)page, pages);
	else if (page != -ENOMEM)
		fault(p, "got an error", 0, (uint32_t)-page);
}

static void *work(void *argument)
{
	struct peer *p = argument;

	for (uint64_t i = 0; (!p->operations || i < p->operations) && p->faults < MAX_FAULTS; i++) {
		if (random_below(&p->seed, 2000) == 0)
			upa_llfree_drain(&p->view);
		if (p->blocks && (p->blocks >= MAX_BLOCKS - 2 || random_below(&p->seed, p->quota) < p->held))
			put(p, false);
		else
			get(p);
	}
	while (p->blocks)
		put(p, true);
	return NULL;
}

int64_t llfree_peer_run(void *memory, uint64_t bytes, uint32_t first_id, uint32_t threads, uint64_t operations,
			uint64_t seed)
{
	struct peer *peers;
	struct upa_llfree view;
	uint64_t maps;
	int64_t faults = 0;
	int error = upa_llfree_attach(&view, memory, bytes);

	if (error)
		return error;
	maps = (upa_llfree_state_size(view.pages, view.slots) + 4095) & ~4095ull;
	if (bytes < maps + 2 * sizeof(uint32_t) * view.pages || !first_id || !threads)
		return -EINVAL;
	peers = calloc(threads, sizeof(*peers));
	if (!peers)
		return -ENOMEM;
	for (uint32_t i = 0; i < threads; i++) {
		peers[i].view = view;
		peers[i].owner = (_Atomic uint32_t *)((char *)memory + maps);
		peers[i].content = peers[i].owner + view.pages;
		peers[i].id = first_id + i;
		peers[i].operations = operations;
		peers[i].seed = seed + i;
		peers[i].quota = view.pages / 3;
		CHECK(!pthread_create(&peers[i].thread, NULL, work, &peers[i]), "thread=%u", i);
	}
	for (uint32_t i = 0; i < threads; i++) {
		pthread_join(peers[i].thread, NULL);
		faults += peers[i].faults;
	}
	free(peers);
	return faults;
}
