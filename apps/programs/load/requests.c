/* SPDX-License-Identifier: Apache-2.0 */
#include "requests.h"

#include <stdio.h>
#include <string.h>

#include "options.h"

#define KEY_MAX 32u

static char *pool; /* values are slices of it */
static uint64_t pool_length;

void requests_prepare(void)
{
	uint64_t state = settings.seed;

	pool_length = 4 * settings.most + 65536;
	pool = allocate(pool_length, 1);
	for (uint64_t i = 0; i < pool_length; i++)
		pool[i] = (char)(' ' + next_random(&state) % 95);
}

static void add_value(struct bytes *bytes, uint64_t offset, uint64_t length)
{
	room(bytes, length + HEAD_MAX);
	memcpy(bytes->data + bytes->length, pool + offset, length);
	bytes->length += length;
	add_text(bytes, "\r\n");
}

static size_t key_name(char *name, const struct connection *connection, uint64_t index)
{
	return (size_t)snprintf(name, KEY_MAX, "key:%010llu",
				(unsigned long long)(index * settings.connections + connection->number));
}

uint64_t keys_of(const struct connection *connection)
{
	return settings.keys / settings.connections + (connection->number < settings.keys % settings.connections);
}

static void ask_read(struct connection *connection, uint64_t index)
{
	char key[KEY_MAX];
	size_t key_length = key_name(key, connection, index);
	uint64_t length = connection->lengths[index];

	if (settings.protocol == REDIS) {
		add_text(&connection->request, "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", key_length, key);
		if (length)
			add_text(&connection->expected, "$%llu\r\n", (unsigned long long)length - 1);
		else
			add_text(&connection->expected, "$-1\r\n");
	} else {
		add_text(&connection->request, "get %s\r\n", key);
		if (length)
			add_text(&connection->expected, "VALUE %s 0 %llu\r\n", key, (unsigned long long)length - 1);
		else
			add_text(&connection->expected, "END\r\n");
	}
	if (!length)
		return;
	add_value(&connection->expected, connection->offsets[index], length - 1);
	if (settings.protocol == MEMCACHED)
		add_text(&connection->expected, "END\r\n");
}

static void ask_write(struct connection *connection, uint64_t index)
{
	char key[KEY_MAX];
	size_t key_length = key_name(key, connection, index);
	uint64_t length = settings.least + next_random(&connection->random) % (settings.most - settings.least + 1);
	uint64_t offset = next_random(&connection->random) % (pool_length - length);

	if (settings.protocol == REDIS) {
		add_text(&connection->request, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%llu\r\n", key_length, key,
			 (unsigned long long)length);
		add_text(&connection->expected, "+OK\r\n");
	} else {
		add_text(&connection->request, "set %s 0 0 %llu\r\n", key, (unsigned long long)length);
		add_text(&connection->expected, "STORED\r\n");
	}
	add_value(&connection->request, offset, length);
	connection->lengths[index] = length + 1;
	connection->offsets[index] = offset;
}

static void ask_removal(struct connection *connection, uint64_t index)
{
	char key[KEY_MAX];
	size_t key_length = key_name(key, connection, index);
	int there = connection->lengths[index] > 0;

	if (settings.protocol == REDIS) {
		add_text(&connection->request, "*2\r\n$3\r\nDEL\r\n$%zu\r\n%s\r\n", key_length, key);
		add_text(&connection->expected, ":%d\r\n", there);
	} else {
		add_text(&connection->request, "delete %s\r\n", key);
		add_text(&connection->expected, there ? "DELETED\r\n" : "NOT_FOUND\r\n");
	}
	connection->lengths[index] = 0;
}

static void ask_file(struct connection *connection)
{
	uint64_t file = next_random(&connection->random) % settings.keys;

	add_text(&connection->request, "GET /file-%llu HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n",
		 (unsigned long long)file);
	connection->files[connection->under_way] = file;
}

static uint64_t share_of_requests(const struct connection *connection)
{
	return settings.requests / settings.connections +
	       (connection->number < settings.requests % settings.connections);
}

/* Adds the connection's next request. Returns 0 if there is none. */
static int ask(struct connection *connection)
{
	uint64_t keys = settings.protocol == HTTP ? 0 : keys_of(connection);
	uint64_t counts[] = { keys, share_of_requests(connection), keys };

	while (connection->step != DONE && connection->next == counts[connection->step]) {
		connection->step++;
		connection->next = 0;
	}
	if (connection->step == DONE)
		return 0;
	if (settings.protocol == HTTP) {
		ask_file(connection);
	} else if (connection->step == FILL) {
		ask_write(connection, connection->next);
	} else if (connection->step == READ_BACK) {
		ask_read(connection, connection->next);
	} else {
		uint64_t dice = next_random(&connection->random) % 100, index = next_random(&connection->random) % keys;

		if (dice < settings.reads)
			ask_read(connection, index);
		else if (dice < settings.reads + settings.removals)
			ask_removal(connection, index);
		else
			ask_write(connection, index);
	}
	connection->next++;
	connection->ends[connection->under_way++] = connection->expected.length;
	return 1;
}

int next_batch(struct connection *connection)
{
	connection->request.length = connection->expected.length = connection->reply.length = 0;
	connection->sent = connection->checked = 0;
	connection->under_way = connection->answered = 0;
	while (connection->under_way < settings.pipeline && ask(connection))
		;
	connection->sent_at = now_ns();
	return connection->under_way > 0;
}
