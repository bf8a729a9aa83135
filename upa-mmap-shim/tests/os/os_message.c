/* SPDX-License-Identifier: Apache-2.0 */
/* os_message.c - what is appended, how it is padded, what is dropped, and that it arrives in one piece. */
#include "os/message.h"

#include <string.h>
#include <unistd.h>

#include "check.h"

static void expect(const struct message *m, const char *expected)
{
	CHECK(m->length == strlen(expected) && !memcmp(m->text, expected, m->length), "text=%.*s expected=%s",
	      (int)m->length, m->text, expected);
}

int main(void)
{
	struct message m = { .length = 0 };
	char read_back[sizeof(m.text) + 1];
	int ends[2];

	expect(&m, "");
	message_text(&m, "pages=");
	message_number(&m, 0, 0);
	message_pad(&m, " a", 4);
	message_pad(&m, "long", 3);
	message_pad(&m, "", 0);
	message_pad(&m, "x", -5);
	expect(&m, "pages=0 a  longx");

	m.length = 0;
	message_number(&m, 7, 3);
	message_number(&m, 1234, 3);
	message_number(&m, UINT64_MAX, 22);
	message_number(&m, 10, 2);
	expect(&m, "  71234  1844674407370955161510");

	CHECK(!pipe(ends), "pipe");
	message_send(&m, ends[1]);
	CHECK(read(ends[0], read_back, sizeof(read_back)) == (ssize_t)m.length && !memcmp(read_back, m.text, m.length),
	      "read back");

	/* Full to the last byte, and not beyond. */
	m.length = 0;
	for (size_t i = 0; i < sizeof(m.text) - 3; i++)
		message_text(&m, "-");
	message_text(&m, "abcdef");
	CHECK(m.length == sizeof(m.text) && !memcmp(m.text + m.length - 4, "-abc", 4), "length=%zu", m.length);
	message_text(&m, "g");
	message_number(&m, 1, 9);
	message_pad(&m, "h", 9);
	CHECK(m.length == sizeof(m.text) && m.text[m.length - 1] == 'c', "length=%zu", m.length);
	message_send(&m, ends[1]);
	CHECK(read(ends[0], read_back, sizeof(read_back)) == (ssize_t)sizeof(m.text), "read back");
	return 0;
}
