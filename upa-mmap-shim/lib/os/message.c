/* SPDX-License-Identifier: Apache-2.0 */
#include "os/message.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "os/one_line.h"
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

void message_foreign(struct message *m, const char *text)
{
	size_t begun = m->length;
	char next[ONE_LINE_BYTES];

	while (*text) {
		text += one_line_next(text, next);
		if (m->length - begun + strlen(next) > MESSAGE_FOREIGN_BYTES) {
			message_text(m, "...");
			return;
		}
		message_text(m, next);
	}
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

void message_column(struct message *m, uint64_t n, int width)
{
	message_text(m, " ");
	message_number(m, n, width - 1);
}

/* In a set of signals as the kernel has it; libc's functions for sets may be a program's own. */
#define IN_SET(signal) (1ull << ((signal)-1))

int message_send(const struct message *m, int fd)
{
	const uint64_t held = IN_SET(SIGPIPE) | IN_SET(SIGXFSZ);
	uint64_t before = 0, pending = 0, raised;
	const struct timespec at_once = { 0 };
	bool holds = !os_call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&held, (long)&before, sizeof(held), 0, 0);
	long n;

	os_call(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0, 0, 0, 0);
	n = os_call(SYS_write, fd, (long)m->text, (long)m->length, 0, 0, 0);
	raised = n == -EPIPE ? IN_SET(SIGPIPE) : n == -EFBIG ? IN_SET(SIGXFSZ) : 0;
	/* The write has raised it in this thread; what was pending before is the program's. */
	if (holds && raised & ~pending)
		os_call(SYS_rt_sigtimedwait, (long)&raised, 0, (long)&at_once, sizeof(raised), 0, 0);
	if (holds)
		os_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof(before), 0, 0);
	return n < 0 ? (int)n : (size_t)n < m->length ? -ENOSPC : 0;
}
