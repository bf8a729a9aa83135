/* SPDX-License-Identifier: Apache-2.0 */
/* os_clear.c - every page reads zero afterwards, none beside the range is touched, and what had no memory gets none. */
#include "os/clear.h"

#include <stdbool.h>
#include <string.h>

#include "check.h"
#include "os/page.h"

#define PAGES 6000u /* more than are asked about in one call */

static char *memory; /* PAGES of them, and one at each end that stays */

static char *page(size_t i)
{
	return memory + (i + 1) * PAGE_BYTES;
}

static bool is_resident(size_t i)
{
	unsigned char byte;

	CHECK(!mincore(page(i), PAGE_BYTES, &byte), "page=%zu", i);
	return byte & 1;
}

static void check_ends(void)
{
	CHECK(memory[0] == 1 && page(0)[-1] == 1 && page(PAGES)[0] == 1 && page(PAGES)[PAGE_BYTES - 1] == 1,
	      "cleared too much");
}

static void check_zero(size_t i)
{
	static const char zeros[PAGE_BYTES];

	CHECK(!memcmp(page(i), zeros, PAGE_BYTES), "page=%zu", i);
}

/* Makes only some pages resident, with old bytes in them. */
static size_t populate(bool (*wanted)(size_t i))
{
	size_t n = 0;

	CHECK(!madvise(page(0), PAGES * PAGE_BYTES, MADV_DONTNEED), "drop");
	for (size_t i = 0; i < PAGES; i++)
		if (wanted(i)) {
			memset(page(i), 0xa5, PAGE_BYTES);
			n++;
		}
	return n;
}

static bool all(size_t i)
{
	return i < PAGES;
}
static bool none(size_t i)
{
	return i > PAGES;
}
static bool odd(size_t i)
{
	return i % 2;
}
static bool runs(size_t i)
{
	return i / 37 % 3 == 0;
}
static bool up_to_a_batch(size_t i)
{
	return i < 2048;
}
static bool from_a_batch(size_t i)
{
	return i >= 2048;
}
static bool last(size_t i)
{
	return i == PAGES - 1;
}
static bool but_the_last(size_t i)
{
	return i != PAGES - 1;
}

static void check_resident_only(bool (*wanted)(size_t i))
{
	size_t populated = populate(wanted);
	size_t absent = upa_absent(page(0), PAGES * PAGE_BYTES);
	struct cleared c = upa_clear_resident(page(0), PAGES * PAGE_BYTES);
	size_t from = PAGES;

	for (size_t i = 0; i <= absent / PAGE_BYTES && i < PAGES; i++)
		CHECK(wanted(i) == (i == absent / PAGE_BYTES), "absent=%zu page=%zu", absent, i);
	while (from && wanted(from - 1))
		from--;
	CHECK(c.bytes == populated * PAGE_BYTES, "cleared_bytes=%zu populated=%zu", c.bytes, populated);
	CHECK(c.resident == (void *)page(from), "resident=%p expected=%p", c.resident, (void *)page(from));
	for (size_t i = 0; i < PAGES; i++)
		CHECK(is_resident(i) == wanted(i), "page=%zu resident=%d", i, is_resident(i));
	for (size_t i = 0; i < PAGES; i++)
		check_zero(i);
	check_ends();
}

/* One byte of each page that has memory is written to, and nothing else. */
static void check_touch(bool (*wanted)(size_t i))
{
	populate(wanted);
	upa_touch_resident(page(0), PAGES * PAGE_BYTES);
	for (size_t i = 0; i < PAGES; i++) {
		CHECK(is_resident(i) == wanted(i), "page=%zu resident=%d", i, is_resident(i));
		CHECK(!wanted(i) || (!page(i)[0] && page(i)[1] == (char)0xa5), "page=%zu", i);
	}
	check_ends();
}

int main(void)
{
	static const size_t sizes[] = { 1, 2, 63, 64, 511, 512, 513, 700, 1024, PAGES };

	memory = mmap(NULL, (PAGES + 2) * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED, "map");
	madvise(memory, (PAGES + 2) * PAGE_BYTES, MADV_NOHUGEPAGE);
	memset(memory, 1, PAGE_BYTES);
	memset(page(PAGES), 1, PAGE_BYTES);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
		size_t n = sizes[k];

		populate(all);
		upa_clear(page(0), n * PAGE_BYTES);
		for (size_t i = 0; i < n; i++)
			check_zero(i);
		CHECK(n == PAGES || page(n)[0] == (char)0xa5, "cleared too much: pages=%zu", n);
		check_ends();
	}
	check_resident_only(all);
	check_resident_only(none);
	check_resident_only(odd);
	check_resident_only(runs);
	check_resident_only(up_to_a_batch);
	check_resident_only(from_a_batch);
	check_resident_only(but_the_last);
	check_resident_only(last);
	check_touch(all);
	check_touch(none);
	check_touch(odd);
	check_touch(runs);
	check_touch(from_a_batch);
	check_touch(last);
	CHECK(!upa_clear_resident(page(0), 0).bytes && !upa_absent(page(0), 0), "nothing");
	return 0;
}
