/*
 * Two processes at once look for each other's contents through every frame number there is, and new
 * memory for old contents.
 */
#include "harness.h"

#define FRAMES 8192

static const uint64_t secrets[2] = { 0x5ec1e7a5ec1e7a00, 0x0ddba11c0ffee000 };

/*
 * Fills a pool with its secret, then tries every 32-bit entry it likes; only its own frames may
 * answer.
 */
static void inhabit(int self)
{
	struct region r = guarded(FRAMES, FRAMES);
	uint64_t state = 88172645463325252ULL + self, page;
	size_t i;

	for (page = 0; page < FRAMES; page++)
		r.shadow[page] = (uint32_t)page + 1;
	for (page = 0; page < FRAMES; page++)
		for (i = 0; i < PAGE / 8; i++) {
			CHECK_EQUAL(word(&r, page)[i], 0); /* zero on entry, to the last word */
			word(&r, page)[i] = secrets[self] + page;
		}
	for (int round = 0; round < 4000; round++) {
		uint32_t frame;

		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		page = state % FRAMES;
		frame = round < 64 ? 1U << round % 32 : (uint32_t)(state >> 20);
		if (round & 1)
			frame = FRAMES + 1 + frame % (4 * FRAMES); /* just behind the pool */
		r.shadow[page] = 0;
		CHECK_EQUAL(unmap_pages(&r, page, 1), 0);
		r.shadow[page] = frame;
		if (frame == 0 || frame > FRAMES) {
			if (frame)
				CHECK_ERRNO(map_pages(&r, page, 1), EINVAL);
			CHECK_EQUAL(touch(r.data + page * PAGE, round & 2), SIGBUS);
		} else {
			CHECK_EQUAL(word(&r, page)[511], secrets[self] + frame - 1);
		}
	}
	exit(0);
}

static void nobody_sees_another(void)
{
	/* Three generations: the second and third get what the one before left to the kernel. */
	for (int generation = 0; generation < 3; generation++) {
		pid_t children[2];

		for (int i = 0; i < 2; i++) {
			children[i] = fork();
			if (!children[i])
				inhabit(i);
		}
		for (int i = 0; i < 2; i++)
			CHECK_EQUAL(wait_status(children[i]), 0);
	}
}

TESTS(CASE(nobody_sees_another))
