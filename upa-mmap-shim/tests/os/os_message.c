/* SPDX-License-Identifier: Apache-2.0 */
/* os_message.c - what is appended, how it is padded, what is dropped, and that it arrives in one piece. */
#include "os/message.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"

static void expect(const struct message *m, const char *expected)
{
	CHECK(m->length == strlen(expected) && !memcmp(m->text, expected, m->length), "text=%.*s expected=%s",
	      (int)m->length, m->text, expected);
}

static volatile sig_atomic_t signals;

static void count(int signal)
{
	(void)signal;
	signals++;
}

static bool is_held_back(int signal)
{
	sigset_t set;

	return !sigpending(&set) && sigismember(&set, signal);
}

/* What a program gets told of a write is for its own writes. */
static void without_a_signal(const struct message *m)
{
	const struct rlimit none = { 0, RLIM_INFINITY };
	struct rlimit limit;
	char name[] = "/tmp/os_message-XXXXXX";
	sigset_t held, before, after;
	int ends[2], fd = mkstemp(name);

	CHECK(fd >= 0 && !unlink(name) && !pipe(ends), "errno=%d", errno);
	CHECK(signal(SIGPIPE, count) != SIG_ERR && signal(SIGXFSZ, count) != SIG_ERR, "errno=%d", errno);
	CHECK(!sigprocmask(SIG_SETMASK, NULL, &before), "errno=%d", errno);
	CHECK(message_send(m, -1) == -EBADF, "no descriptor");

	close(ends[0]);
	CHECK(message_send(m, ends[1]) == -EPIPE, "a pipe without a reader");
	CHECK(!getrlimit(RLIMIT_FSIZE, &limit) && !setrlimit(RLIMIT_FSIZE, &none), "errno=%d", errno);
	CHECK(message_send(m, fd) == -EFBIG, "a file that may not grow");
	CHECK(signals == 0, "signals=%d", (int)signals);
	CHECK(!sigprocmask(SIG_SETMASK, NULL, &after) && !sigismember(&after, SIGPIPE) && !sigismember(&after, SIGXFSZ),
	      "the mask has changed");
	/* The program's own writes raise it, as before. */
	CHECK(write(ends[1], "x", 1) < 0 && signals == 1, "signals=%d", (int)signals);

	/* What is pending stays so, and what is held stays held. */
	sigemptyset(&held);
	sigaddset(&held, SIGPIPE);
	CHECK(!sigprocmask(SIG_BLOCK, &held, NULL) && !raise(SIGPIPE), "errno=%d", errno);
	CHECK(message_send(m, ends[1]) == -EPIPE && is_held_back(SIGPIPE), "what was pending has gone");
	CHECK(message_send(m, fd) == -EFBIG && is_held_back(SIGPIPE) && !is_held_back(SIGXFSZ),
	      "what was pending has gone");
	CHECK(!sigprocmask(SIG_SETMASK, &before, NULL) && signals == 2, "signals=%d", (int)signals);
	CHECK(!setrlimit(RLIMIT_FSIZE, &limit) && !message_send(m, fd), "without a limit");
	close(ends[1]);
	close(fd);
}

/* Each control character, but no other, and no more than there is room for. */
static void foreign(void)
{
	struct message m = { .length = 0 };
	char all[256], half[MESSAGE_FOREIGN_BYTES], text[MESSAGE_FOREIGN_BYTES + 2] = "";

	message_foreign(&m, "");
	expect(&m, "");
	message_foreign(&m, "a b\n\r\t\x1b[1m\x01\x1f ~\x7f\\n");
	expect(&m, "a b\\n\\r\\t\\x1b[1m\\x01\\x1f ~\\x7f\\n");
	/* U+0080 to U+009F, and what is near them: U+00A0, half a character, and bytes that follow others. */
	m.length = 0;
	message_foreign(&m, "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0\xc3\xa9\xe2\x82\xac\xc2");
	expect(&m, "\\x80\\x9b\\x9f\xc2\xa0\xc3\xa9\xe2\x82\xac\xc2");
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)(256 - i);
	all[255] = 0;
	m.length = 0;
	message_foreign(&m, all);
	for (size_t i = 0; i < m.length; i++)
		CHECK((unsigned char)m.text[i] >= ' ' && m.text[i] != 0x7f, "i=%zu byte=%d", i, m.text[i]);

	memset(text, 'x', MESSAGE_FOREIGN_BYTES);
	m.length = 0;
	message_foreign(&m, text);
	expect(&m, text);
	message_text(&m, " is cut");
	CHECK(m.length == MESSAGE_FOREIGN_BYTES + 7, "length=%zu", m.length);
	text[MESSAGE_FOREIGN_BYTES] = 'y';
	m.length = 0;
	message_foreign(&m, text);
	CHECK(m.length == MESSAGE_FOREIGN_BYTES + 3 && !memcmp(m.text + m.length - 4, "x...", 4), "length=%zu",
	      m.length);
	/* What is cut is whole. */
	memset(half, 'x', sizeof(half));
	half[sizeof(half) - 2] = '\x1b';
	half[sizeof(half) - 1] = 0;
	m.length = 0;
	message_foreign(&m, half);
	CHECK(m.length == sizeof(half) - 2 + 3 && !memcmp(m.text + m.length - 4, "x...", 4), "length=%zu", m.length);
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

	foreign();

	m.length = 0;
	message_number(&m, 7, 3);
	message_number(&m, 1234, 3);
	message_number(&m, UINT64_MAX, 22);
	message_number(&m, 10, 2);
	expect(&m, "  71234  1844674407370955161510");

	m.length = 0;
	message_column(&m, 7, 4);
	message_column(&m, 123, 4);
	message_column(&m, 1234, 4);
	message_column(&m, 1234567, 4);
	message_column(&m, 8, 0);
	expect(&m, "   7 123 1234 1234567 8");

	m.length = 0;
	message_number(&m, 7, 3);
	message_number(&m, 1234, 3);
	message_number(&m, UINT64_MAX, 22);
	message_number(&m, 10, 2);
	CHECK(!pipe(ends), "pipe");
	CHECK(!message_send(&m, ends[1]), "errno=%d", errno);
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
	without_a_signal(&m);
	return 0;
}
