/* SPDX-License-Identifier: Apache-2.0 */
#include "os/message.h"

#include <string.h>

#include "os/os.h"

static void append(struct message *m, const char *text, size_t n)
{
	if (n > sizeof(m->text) - m->length)
		n = sizeof(m->text) - m->length;
	memcpy(m->text + m->length, text, n);
	m->length += n;
}

/* Up to a width, of which `length` is taken. */
static void spaces(struct message *m, size_t length, int width)
{
	for (; width > 0 && length < (size_t)width; length++)
		append(m, " ", 1);
}

void message_text(struct message *m, const char *text)
{
	append(m, text, strlen(text));
}

void message_pad(struct message *m, const char *text, int width)
{
	message_text(m, text);
	spaces(m, strlen(text), width);
}

void message_number(struct message *m, uint64_t n, int width)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	spaces(m, sizeof(digits) - at, width);
	append(m, digits + at, sizeof(digits) - at);
}

void message_send(const struct message *m, int fd)
{
	os_call(SYS_write, fd, (long)m->text, (long)m->length, 0, 0, 0);
}
