/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - what `upa top` reads of a forked child (observe/view_writer.h): its counts begin at zero. */
#include <string.h>

#include "check.h"
#include "observe/view_writer.h"

const void *upa_region_metadata(const struct upa_region *region)
{
	return region;
}

static void of_a_child(void)
{
	struct upa_view was, expected;

	/* Every word is another, so that none takes another's place. */
	for (size_t at = offsetof(struct upa_view, metadata); at < offsetof(struct upa_view, note); at += 8)
		*(uint64_t *)((char *)&view + at) = at;
	view_note("a note");
	was = view;
	view_after_fork();
	expected = (struct upa_view){
		.magic = UPA_VIEW_MAGIC,
		.version = UPA_VIEW_VERSION,
		.bytes = sizeof(view),
		/* What is there, and who looks after it, is not the view's own: the child says so itself. */
		.metadata = was.metadata,
		.heap_bytes = was.heap_bytes,
		.heap_kept_bytes = was.heap_kept_bytes,
		.purged_idle_bytes = was.purged_idle_bytes,
		.heap_lazy_bytes = was.heap_lazy_bytes,
		.agent = was.agent,
		.order = was.order,
		.note = "a note",
	};
	for (size_t at = 0; at < sizeof(view); at += 8)
		CHECK(!memcmp((char *)&view + at, (char *)&expected + at, 8), "word at %zu", at);
}

static void notes(void)
{
	char text[100];

	memset(&view.note, 0, sizeof(view.note));
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	view_note(text);
	CHECK(strlen(view.note) == sizeof(view.note) - 1, "%zu", strlen(view.note));
	view_note("another");
	CHECK(view.note[0] == 'x', "the first stays");
}

static void of_a_region(void)
{
	static char region;

	view_region((struct upa_region *)&region);
	CHECK(view.metadata == (uintptr_t)&region, "%" PRIx64, view.metadata);
}

int main(void)
{
	of_a_child();
	notes();
	of_a_region();
	return 0;
}
