/* SPDX-License-Identifier: Apache-2.0 */
#include "replies.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

struct replies replies;

static uint64_t *file_hashes; /* http: of each file, 0 before its first reply */

void replies_prepare(uint64_t wanted)
{
	replies.wanted = wanted;
	replies.latencies = allocate(wanted, sizeof(*replies.latencies));
	file_hashes = allocate(settings.keys, sizeof(*file_hashes));
}

static void answered(struct connection *connection, uint64_t sum)
{
	if (replies.count == replies.wanted)
		stop(1, "more replies than requests");
	replies.latencies[replies.count++] = now_ns() - connection->sent_at;
	connection->answered++;
	replies.check += sum;
}

static void print_start(char *text, size_t capacity, const char *data, size_t length)
{
	size_t written = 0;

	for (size_t i = 0; i < length && written + 2 < capacity && i < 60; i++)
		text[written++] = isprint((unsigned char)data[i]) ? data[i] : '.';
	text[written] = '\0';
}

void check_expected(struct connection *connection)
{
	const struct bytes *reply = &connection->reply, *expected = &connection->expected;
	char wanted[80], got[80];

	if (reply->length > expected->length ||
	    memcmp(reply->data + connection->checked, expected->data + connection->checked,
		   reply->length - connection->checked)) {
		size_t from = connection->answered ? connection->ends[connection->answered - 1] : 0;

		print_start(wanted, sizeof(wanted), expected->data + from, expected->length - from);
		print_start(got, sizeof(got), reply->data + from, reply->length - from);
		stop(1, "wrong reply, expected=%s got=%s", wanted, got);
	}
	connection->checked = reply->length;
	while (connection->answered < connection->under_way &&
	       connection->ends[connection->answered] <= reply->length) {
		size_t from = connection->answered ? connection->ends[connection->answered - 1] : 0;

		answered(connection, connection->ends[connection->answered] - from);
	}
}

/*
 * The body of a reply of known length or in chunks, its pieces moved together. Returns the bytes consumed, 0 if it is
 * not complete.
 */
static size_t whole_reply(char *data, size_t length, char **body, size_t *body_length)
{
	char *end = memmem(data, length, "\r\n\r\n", 4), *field, *to;
	size_t head, at;

	if (!end)
		return 0;
	head = (size_t)(end - data) + 4;
	if (length < 12 || memcmp(data, "HTTP/1.1 200", 12)) {
		char got[80];

		print_start(got, sizeof(got), data, length);
		stop(1, "wrong reply, expected=HTTP/1.1 200 got=%s", got);
	}
	*body = to = data + head;
	field = memmem(data, head, "\r\nContent-Length: ", 18);
	if (field) {
		*body_length = strtoul(field + 18, NULL, 10);
		return length < head + *body_length ? 0 : head + *body_length;
	}
	if (!memmem(data, head, "\r\nTransfer-Encoding: chunked", 28))
		stop(1, "a reply has neither Content-Length nor chunks");
	/* first pass: is it complete? second: move */
	for (int pass = 0; pass < 2; pass++) {
		for (at = head;;) {
			char *line = memmem(data + at, length - at, "\r\n", 2);
			size_t chunk, begin;

			if (!line)
				return 0;
			chunk = strtoul(data + at, NULL, 16);
			begin = (size_t)(line - data) + 2;
			if (length - begin < 2 || chunk > length - begin - 2)
				return 0;
			if (pass) {
				memmove(to, data + begin, chunk);
				to += chunk;
			}
			at = begin + chunk + 2;
			if (!chunk)
				break;
		}
	}
	*body_length = (size_t)(to - *body);
	return at;
}

void check_http(struct connection *connection)
{
	struct bytes *reply = &connection->reply;
	char *body;
	size_t body_length, used;

	while (connection->answered < connection->under_way &&
	       (used = whole_reply(reply->data + connection->checked, reply->length - connection->checked, &body,
				   &body_length))) {
		uint64_t file = connection->files[connection->answered], sum = hash(body, body_length) | 1;

		if (!body_length || (file_hashes[file] && file_hashes[file] != sum))
			stop(1, "file=%llu of length=%zu is not what it was before", (unsigned long long)file,
			     body_length);
		file_hashes[file] = sum;
		connection->checked += used;
		answered(connection, sum);
	}
}
