/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h - text for a descriptor without stdio, which may allocate, lock, or not be there yet. Safe in signal
 * handlers.
 *
 *	struct message m = { .length = 0 };
 *
 *	message_text(&m, "pages=");
 *	message_number(&m, n, 0);
 *	message_send(&m, 2);
 */
#ifndef UPA_OS_MESSAGE_H
#define UPA_OS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

struct message {
	size_t length;
	char text[2048];
};

/*
 * Each appends, and drops what does not fit. A width is the least number of columns: text stands left, numbers right.
 */
void message_text(struct message *m, const char *text);
void message_pad(struct message *m, const char *text, int width);
void message_number(struct message *m, uint64_t n, int width);

/* The same of a table: a space at least parts it from what stands before. */
void message_column(struct message *m, uint64_t n, int width);

/*
 * Appends text that is not ours, such as the name of a file: it stays within its line (one_line.h), and what exceeds
 * MESSAGE_FOREIGN_BYTES is "...", so that what follows has its place.
 */
#define MESSAGE_FOREIGN_BYTES 1024
void message_foreign(struct message *m, const char *text);

/*
 * Writes it in one piece, so that processes that share a terminal do not mix their lines. Returns 0 or -errno; a reader
 * that has gone, or a limit on the size of files, raises no signal: the program that we are in has written nothing.
 */
int message_send(const struct message *m, int fd);

#endif
