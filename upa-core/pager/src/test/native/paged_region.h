/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paged_region.h - the owner's half of a region of /dev/upa whose pages a pager moves: making it, admitting pagers over
 * a socket, mapping and unmapping pages. The other half is Java's: upa.pager.device.DeviceRegion says what is sent, and
 * AwayWord what a page's entry means.
 *
 * Frames are the pager's: it alone takes them out of the pool. The owner changes an entry from 0 to FRESH, and from
 * anything to 0; if what it takes out is frame + 1, the frame is the owner's, who frees it after the shoot-down.
 *
 * All calls end the program with a line if the kernel refuses; unmap and admission exclude each other.
 */
#ifndef UPA_PAGED_REGION_H
#define UPA_PAGED_REGION_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "upa.h"

#define PAGE_BYTES 4096ull
#define STORES 12
#define KEPT_BYTES 4096

#define FRESH UPADEV_SHADOW_AWAY
#define LEAVING (UPADEV_SHADOW_AWAY | 2u << 28)
#define WORD_KIND (0xfu << 28)
#define WORD_REST ((1u << 28) - 1)

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			printf("failed %s:%d %s errno=%d\n", __FILE__, __LINE__, #condition, errno);                   \
			fflush(stdout);                                                                                \
			_exit(1);                                                                                      \
		}                                                                                                      \
	} while (0)

struct paged_region {
	int device, listener;
	uint32_t flags; /* of UPADEV_ADMIT */
	uint64_t pages, frames, state_bytes;
	char *data, *state;
	_Atomic uint32_t *words;
	_Atomic uint64_t *bits;   /* of frames, 1 if taken: 16 rows for each 512, of which 8 are used */
	_Atomic uint64_t *header; /* frames taken; how often pages were taken away */
	uint64_t bits_offset, header_offset, places_offset, kept_offset;
	pthread_rwlock_t lock; /* held by who has frames in hand */
	int kept[STORES];
	_Atomic int admitted; /* how many pagers so far */
};

static inline uint64_t aligned(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static inline _Atomic uint64_t *frame_row(const struct paged_region *r, uint64_t frame)
{
	return &r->bits[frame / 512 * 16 + frame % 512 / 64];
}

static inline bool frame_taken(const struct paged_region *r, uint64_t frame)
{
	return atomic_load(frame_row(r, frame)) >> frame % 64 & 1;
}

static inline void free_frame(struct paged_region *r, uint64_t frame)
{
	uint64_t was = atomic_fetch_and(frame_row(r, frame), ~(1ull << frame % 64));

	CHECK(was >> frame % 64 & 1);
	atomic_fetch_sub(&r->header[0], 1);
}

static inline char *page_address(const struct paged_region *r, uint64_t page)
{
	return r->data + page * PAGE_BYTES;
}

/* ---- making it --------------------------------------------------------------------------------- */

/* The words by which the module finds free frames. The region's pages count as used: who frees them empties them. */
static inline void declare_frames(struct paged_region *r, uint64_t words_offset, uint64_t marks_offset)
{
	uint64_t children = aligned(r->frames, 512) / 512, trees = aligned(children, 16) / 16;
	uint64_t groups = aligned(trees, 16) / 16;
	struct upadev_allocators a = { .marks_offset = marks_offset };
	uint32_t *trees_at;

	a.frames = (struct upadev_allocator){ .units = r->frames, .bitmap_offset = r->bits_offset };
	a.frames.child_offset = words_offset;
	a.frames.tree_offset = words_offset + children * 4;
	a.frames.group_offset = a.frames.tree_offset + trees * 4;
	trees_at = (uint32_t *)(r->state + a.frames.tree_offset);
	for (uint64_t t = 0; t < trees; t++)
		trees_at[t] = UPADEV_TREE_OPEN;
	/* One page, which is used. */
	a.pages = (struct upadev_allocator){ .units = 1 };
	a.pages.bitmap_offset = aligned(a.frames.group_offset + groups * 4, 8);
	a.pages.child_offset = a.pages.bitmap_offset + 128;
	a.pages.tree_offset = a.pages.child_offset + 4;
	a.pages.group_offset = a.pages.tree_offset + 4;
	*(uint64_t *)(r->state + a.pages.bitmap_offset) = ~0ull;
	*(uint32_t *)(r->state + a.pages.tree_offset) = UPADEV_TREE_OPEN;
	CHECK(a.pages.group_offset + 4 <= marks_offset);
	CHECK(!ioctl(r->device, UPADEV_ALLOCATORS, &a));
}

static inline void *map_device(int fd, uint64_t bytes, uint64_t offset)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

	CHECK(at != MAP_FAILED);
	return at;
}

static inline void make_paged_region(struct paged_region *r, uint64_t pages, uint64_t frames)
{
	const uint64_t block = UPADEV_BLOCK_PAGES * PAGE_BYTES;
	uint64_t words_offset, marks_offset, marks;
	struct upadev_create made = { .version = UPADEV_ABI_VERSION,
				      .mode = UPADEV_GUARDED,
				      .flags = UPADEV_CREATE_TRACK };
	char *wide;

	*r = (struct paged_region){ .pages = pages, .frames = frames, .listener = -1 };
	pthread_rwlock_init(&r->lock, NULL);
	memset(r->kept, -1, sizeof(r->kept));
	r->header_offset = 0;
	r->kept_offset = 64;
	r->places_offset = r->kept_offset + KEPT_BYTES;
	r->bits_offset = r->places_offset + pages * 8;
	words_offset = r->bits_offset + aligned(frames, 512) / 512 * 128;
	marks_offset = aligned(words_offset + aligned(frames, 512) / 512 * 8 + 512, 8);
	marks = 2 + 2 * (aligned(pages, 512 * 64) + aligned(frames, 512 * 64)) / 512 / 64 + aligned(frames, 64) / 64;
	made.pages = pages;
	made.frames = made.max_frames = frames;
	made.state_bytes = r->state_bytes = aligned(marks_offset + marks * 8, PAGE_BYTES);
	r->device = open("/dev/upa", O_RDWR | O_CLOEXEC);
	CHECK(r->device >= 0);
	CHECK(!ioctl(r->device, UPADEV_CREATE, &made));
	wide = mmap(NULL, made.data_bytes + block, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(wide != MAP_FAILED);
	r->data = mmap((void *)aligned((uintptr_t)wide, block), made.data_bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED, r->device, UPADEV_MAP_DATA);
	CHECK(r->data != MAP_FAILED);
	r->state = map_device(r->device, r->state_bytes, UPADEV_MAP_STATE);
	r->words = map_device(r->device, made.shadow_bytes, UPADEV_MAP_SHADOW);
	r->bits = (void *)(r->state + r->bits_offset);
	r->header = (void *)(r->state + r->header_offset);
	declare_frames(r, words_offset, marks_offset);
}

/* ---- pages ------------------------------------------------------------------------------------- */

/* Pages that the caller knows to be nobody's read zero from now on. */
static inline void map_pages(struct paged_region *r, uint64_t first, uint64_t count)
{
	for (uint64_t p = first; p < first + count; p++) {
		uint32_t none = 0;

		CHECK(atomic_compare_exchange_strong(&r->words[p], &none, FRESH));
	}
}

/* Pages of the caller's are nobody's from now on, wherever they are: a touch is SIGBUS. */
static inline void unmap_pages(struct paged_region *r, uint64_t first, uint64_t count)
{
	struct upadev_range range = { first, count };
	struct upadev_batch batch = { .ranges = (uintptr_t)&range, .count = 1 };
	uint32_t *were = malloc(count * sizeof(*were));

	CHECK(were);
	pthread_rwlock_rdlock(&r->lock);
	for (uint64_t i = 0; i < count; i++)
		were[i] = atomic_exchange(&r->words[first + i], 0);
	CHECK(!ioctl(r->device, UPADEV_UNMAP, &batch));
	/* A frame that an entry of a page away names is the pager's. */
	for (uint64_t i = 0; i < count; i++)
		if (were[i] && !(were[i] & UPADEV_SHADOW_AWAY))
			free_frame(r, were[i] - 1);
	pthread_rwlock_unlock(&r->lock);
	free(were);
	atomic_fetch_add(&r->header[1], 1);
}

/* ---- pagers ------------------------------------------------------------------------------------ */

/* Frames that a pager had in hand when it was killed are free again. There is no pager, and nobody unmaps. */
static inline void mend_frames(struct paged_region *r)
{
	bool *named = calloc(r->frames, 1);
	uint64_t taken = 0;

	CHECK(named);
	for (uint64_t p = 0; p < r->pages; p++) {
		uint32_t word = atomic_load(&r->words[p]);

		if (word && !(word & UPADEV_SHADOW_AWAY))
			named[word - 1] = true;
		else if ((word & WORD_KIND) == LEAVING)
			named[word & WORD_REST] = true;
	}
	for (uint64_t f = 0; f < r->frames; f++) {
		if (frame_taken(r, f) && !named[f])
			atomic_fetch_and(frame_row(r, f), ~(1ull << f % 64));
		CHECK(!named[f] || frame_taken(r, f));
		taken += named[f];
	}
	atomic_store(&r->header[0], taken);
	free(named);
}

static inline int admit(struct paged_region *r)
{
	struct upadev_pager request = { .flags = r->flags };
	int pager;

	/* The descriptor of one that was killed just now may be open for a moment. */
	for (int tries = 0; tries < 1000; tries++) {
		pager = ioctl(r->device, UPADEV_ADMIT, &request);
		if (pager >= 0 || errno != EBUSY)
			break;
		usleep(1000);
	}
	return pager;
}

/* Admits who has connected, and tells all it needs. The pager's descriptor has no other copy afterwards. */
static inline bool greet(struct paged_region *r, int socket)
{
	uint64_t greeting[9] = { 0x3145474150415055ull, r->pages,       r->frames,
				 r->state_bytes,        r->bits_offset, r->header_offset,
				 r->places_offset,      r->kept_offset, 0 };
	union {
		char bytes[CMSG_SPACE((2 + STORES) * sizeof(int))];
		struct cmsghdr header;
	} control = { { 0 } };
	struct iovec v = { greeting, sizeof(greeting) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control };
	int fds[2 + STORES], n = 2;
	bool sent;

	pthread_rwlock_wrlock(&r->lock);
	fds[0] = admit(r);
	fds[1] = r->device;
	if (fds[0] >= 0)
		mend_frames(r);
	pthread_rwlock_unlock(&r->lock);
	if (fds[0] < 0)
		return false;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	for (int s = 0; s < STORES; s++) {
		if (r->kept[s] >= 0) {
			fds[n++] = r->kept[s];
			greeting[8] |= 1ull << s;
		}
	}
	m.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
	CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, (size_t)n * sizeof(int));
	sent = sendmsg(socket, &m, MSG_NOSIGNAL) == sizeof(greeting);
	close(fds[0]);
	atomic_fetch_add(&r->admitted, sent);
	return sent;
}

/* Keeps what the pager sends for the next one, until it has gone. */
static inline void keep_descriptors(struct paged_region *r, int socket)
{
	for (;;) {
		uint64_t store;
		union {
			char bytes[CMSG_SPACE(sizeof(int))];
			struct cmsghdr header;
		} control;
		struct iovec v = { &store, sizeof(store) };
		struct msghdr m = {
			.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
		};
		ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		CHECK(n == sizeof(store) && store < STORES && CMSG_FIRSTHDR(&m));
		if (r->kept[store] >= 0)
			close(r->kept[store]);
		memcpy(&r->kept[store], CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	}
}

static inline void *serve_pagers(void *region)
{
	struct paged_region *r = region;

	for (;;) {
		int socket = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
		struct ucred peer;
		socklen_t bytes = sizeof(peer);

		if (socket < 0)
			continue;
		if (!getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) && peer.uid == geteuid() &&
		    greet(r, socket))
			keep_descriptors(r, socket);
		close(socket);
	}
	return NULL;
}

/* Pagers of this user may come from now on, one at a time. */
static inline void listen_for_pagers(struct paged_region *r, const char *path, uint32_t flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	pthread_t thread;

	CHECK(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	r->flags = flags;
	r->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CHECK(!bind(r->listener, (struct sockaddr *)&address, sizeof(address)));
	CHECK(!listen(r->listener, 4));
	CHECK(!pthread_create(&thread, NULL, serve_pagers, r));
}

#endif
