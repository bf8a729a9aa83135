/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - upa-load: sends a server a fixed, reproducible sequence of requests and checks every byte of every reply.
 *
 *   upa-load redis|memcached|http PORT [--connections N] [--pipeline N] [--requests N] [--keys N] [--least BYTES]
 *   [--most BYTES]
 *            [--reads PERCENT] [--removals PERCENT] [--snapshots N] [--seed N]
 *
 * A closed loop: each connection to 127.0.0.1 has up to --pipeline requests under way and sends the next ones when all
 * are answered. redis and memcached: first each key is set once; then come --requests reads, removals and (the rest)
 * new values of --least to --most bytes; last each key is read again. A connection has its share of the keys to itself,
 * so that it knows what must be answered. http: GET /file-N for N below --keys; a file has to be the same each time.
 * --snapshots (redis) has the server save in the background so many times, evenly spread, one after the other.
 *
 * Prints one line of JSON: requests, seconds, throughput (requests per second), p50_us and p99_us (microseconds from
 * sending a batch to the last byte of the reply), check (a sum over all replies, the same for the same arguments). Exit
 * status 1, with a line on standard error, if a reply is wrong or missing for 20 seconds; 2 for a wrong command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replies.h"
#include "requests.h"
#include "options.h"
#include "snapshots.h"

static struct connection connections[CONNECTIONS_MAX];

static void transfer(struct connection *connection, short events)
{
	ssize_t count;

	if ((events & POLLOUT) && connection->sent < connection->request.length) {
		count = write(connection->fd, connection->request.data + connection->sent,
			      connection->request.length - connection->sent);
		if (count < 0 && errno != EAGAIN)
			stop(1, "the server does not read: %s", strerror(errno));
		if (count > 0)
			connection->sent += (size_t)count;
	}
	if (events & (POLLIN | POLLHUP | POLLERR)) {
		room(&connection->reply, 65536);
		count = read(connection->fd, connection->reply.data + connection->reply.length,
			     connection->reply.capacity - connection->reply.length);
		if (count == 0 || (count < 0 && errno != EAGAIN))
			stop(1, "the server closed a connection: %s", count ? strerror(errno) : "end of file");
		if (count > 0) {
			connection->reply.length += (size_t)count;
			if (settings.protocol == HTTP)
				check_http(connection);
			else
				check_expected(connection);
		}
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t run(void)
{
	struct pollfd polled[CONNECTIONS_MAX];
	uint64_t start = now_ns(), busy = 0, looked = 0, filled = settings.protocol == HTTP ? 0 : settings.keys;

	for (uint64_t i = 0; i < settings.connections; i++)
		busy += (uint64_t)next_batch(&connections[i]);
	while (busy) {
		for (uint64_t i = 0; i < settings.connections; i++) {
			struct connection *connection = &connections[i];

			polled[i] =
				(struct pollfd){ .fd = connection->under_way ? connection->fd : -1, .events = POLLIN };
			if (connection->sent < connection->request.length)
				polled[i].events |= POLLOUT;
		}
		if (poll(polled, (nfds_t)settings.connections, PATIENCE_MS) <= 0)
			stop(1, "no reply for seconds=%d", PATIENCE_MS / 1000);
		for (uint64_t i = 0; i < settings.connections; i++) {
			struct connection *connection = &connections[i];

			if (!polled[i].revents)
				continue;
			transfer(connection, polled[i].revents);
			if (connection->answered == connection->under_way && !next_batch(connection))
				busy--;
		}
		if (settings.snapshots && replies.count >= filled &&
		    replies.count - looked >= settings.requests / 100 + 1) {
			looked = replies.count;
			snapshots(replies.count - filled < settings.requests ? replies.count - filled :
									       settings.requests - 1,
				  settings.requests);
		}
	}
	snapshots(settings.requests, settings.requests);
	return now_ns() - start;
}

static void prepare(void)
{
	requests_prepare();
	replies_prepare(settings.requests + (settings.protocol == HTTP ? 0 : 2 * settings.keys));
	for (uint64_t i = 0; i < settings.connections; i++) {
		struct connection *connection = &connections[i];

		connection->number = i;
		connection->fd = connect_to_server();
		if (fcntl(connection->fd, F_SETFL, O_NONBLOCK))
			stop(1, "fcntl: %s", strerror(errno));
		connection->random = settings.seed * 1000003 + i;
		connection->lengths = allocate(keys_of(connection), sizeof(uint64_t));
		connection->offsets = allocate(keys_of(connection), sizeof(uint64_t));
		connection->ends = allocate(settings.pipeline, sizeof(size_t));
		connection->files = allocate(settings.pipeline, sizeof(uint64_t));
	}
}

int main(int count, char **arguments)
{
	uint64_t elapsed;

	settings_parse(count, arguments);
	prepare();
	elapsed = run();
	if (replies.count != replies.wanted)
		stop(1, "replies=%llu of %llu", (unsigned long long)replies.count, (unsigned long long)replies.wanted);
	qsort(replies.latencies, replies.count, sizeof(*replies.latencies), compare);
	printf("{\"requests\":%llu,\"seconds\":%.6f,\"throughput\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"check\":\"%016llx\"}\n",
	       (unsigned long long)replies.count, (double)elapsed / 1e9,
	       (double)replies.count / ((double)elapsed / 1e9),
	       (double)replies.latencies[(replies.count - 1) / 2] / 1e3,
	       (double)replies.latencies[(replies.count - 1) * 99 / 100] / 1e3, (unsigned long long)replies.check);
	return fflush(stdout) || ferror(stdout);
}
