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
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256u
#define PATIENCE_MS 20000
#define KEY_MAX 32u
#define HEAD_MAX 512u /* bytes of a request or reply besides its value */

enum protocol { REDIS, MEMCACHED, HTTP };
enum step { FILL, WORK, READ_BACK, DONE };

struct bytes {
	char *data;
	size_t length, capacity;
};

/* One connection: its keys are those equal to its number modulo the number of connections. */
struct connection {
	int fd;
	uint64_t random;
	enum step step;
	uint64_t next;     /* key index or request number within the step */
	uint64_t *lengths; /* by key index: 1 + the value's length, 0 if there is none */
	uint64_t *offsets; /* where in the pool of values it begins */
	struct bytes request, expected, reply;
	size_t sent, checked; /* of request; of expected (redis and memcached) or of reply (http) */
	unsigned under_way, answered;
	size_t *ends;    /* of each reply in expected */
	uint64_t *files; /* http: which file each reply is */
	uint64_t sent_at;
};

static enum protocol protocol;
static uint64_t connection_count = 8, pipeline = 1, request_count = 10000, key_count = 1000, least = 100, most = 100,
		read_percent = 50, removal_percent, snapshot_count, seed = 1;
static struct sockaddr_in address = { .sin_family = AF_INET };
static struct connection connections[CONNECTIONS_MAX];
static char *pool; /* values are slices of it */
static uint64_t pool_length;
static uint64_t *latencies, latency_count, latency_capacity, check;
static uint64_t *file_hashes; /* http: of each file, 0 before its first reply */

static void __attribute__((format(printf, 2, 3), noreturn)) stop(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("upa-load: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(status);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* splitmix64, Steele, Lea and Flood, OOPSLA 2014 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* FNV-1a by Fowler, Noll and Vo, 64 bits */
static uint64_t hash(const char *data, size_t length)
{
	uint64_t sum = 0xcbf29ce484222325u;

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ (unsigned char)data[i]) * 0x100000001b3u;
	return sum;
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		stop(1, "no memory for count=%zu of size=%zu", count, size);
	return memory;
}

static void room(struct bytes *bytes, size_t more)
{
	if (bytes->length + more <= bytes->capacity)
		return;
	bytes->capacity = 2 * (bytes->length + more);
	bytes->data = realloc(bytes->data, bytes->capacity);
	if (!bytes->data)
		stop(1, "no memory for bytes=%zu", bytes->capacity);
}

static void __attribute__((format(printf, 2, 3))) add_text(struct bytes *bytes, const char *format, ...)
{
	va_list arguments;

	room(bytes, HEAD_MAX);
	va_start(arguments, format);
	bytes->length += (size_t)vsnprintf(bytes->data + bytes->length, HEAD_MAX, format, arguments);
	va_end(arguments);
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
				(unsigned long long)(index * connection_count + (uint64_t)(connection - connections)));
}

static uint64_t keys_of(const struct connection *connection)
{
	uint64_t number = (uint64_t)(connection - connections);

	return key_count / connection_count + (number < key_count % connection_count);
}

static void ask_read(struct connection *connection, uint64_t index)
{
	char key[KEY_MAX];
	size_t key_length = key_name(key, connection, index);
	uint64_t length = connection->lengths[index];

	if (protocol == REDIS) {
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
	if (protocol == MEMCACHED)
		add_text(&connection->expected, "END\r\n");
}

static void ask_write(struct connection *connection, uint64_t index)
{
	char key[KEY_MAX];
	size_t key_length = key_name(key, connection, index);
	uint64_t length = least + next_random(&connection->random) % (most - least + 1);
	uint64_t offset = next_random(&connection->random) % (pool_length - length);

	if (protocol == REDIS) {
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

	if (protocol == REDIS) {
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
	uint64_t file = next_random(&connection->random) % key_count;

	add_text(&connection->request, "GET /file-%llu HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n",
		 (unsigned long long)file);
	connection->files[connection->under_way] = file;
}

static uint64_t share_of_requests(const struct connection *connection)
{
	uint64_t number = (uint64_t)(connection - connections);

	return request_count / connection_count + (number < request_count % connection_count);
}

/* Adds the connection's next request. Returns 0 if there is none. */
static int ask(struct connection *connection)
{
	uint64_t keys = protocol == HTTP ? 0 : keys_of(connection);
	uint64_t counts[] = { keys, share_of_requests(connection), keys };

	while (connection->step != DONE && connection->next == counts[connection->step]) {
		connection->step++;
		connection->next = 0;
	}
	if (connection->step == DONE)
		return 0;
	if (protocol == HTTP) {
		ask_file(connection);
	} else if (connection->step == FILL) {
		ask_write(connection, connection->next);
	} else if (connection->step == READ_BACK) {
		ask_read(connection, connection->next);
	} else {
		uint64_t dice = next_random(&connection->random) % 100, index = next_random(&connection->random) % keys;

		if (dice < read_percent)
			ask_read(connection, index);
		else if (dice < read_percent + removal_percent)
			ask_removal(connection, index);
		else
			ask_write(connection, index);
	}
	connection->next++;
	connection->ends[connection->under_way++] = connection->expected.length;
	return 1;
}

/* Returns 0 when all has been asked and answered. */
static int next_batch(struct connection *connection)
{
	connection->request.length = connection->expected.length = connection->reply.length = 0;
	connection->sent = connection->checked = 0;
	connection->under_way = connection->answered = 0;
	while (connection->under_way < pipeline && ask(connection))
		;
	connection->sent_at = now_ns();
	return connection->under_way > 0;
}

static void answered(struct connection *connection, uint64_t sum)
{
	if (latency_count == latency_capacity)
		stop(1, "more replies than requests");
	latencies[latency_count++] = now_ns() - connection->sent_at;
	connection->answered++;
	check += sum;
}

static void print_start(char *text, size_t capacity, const char *data, size_t length)
{
	size_t written = 0;

	for (size_t i = 0; i < length && written + 2 < capacity && i < 60; i++)
		text[written++] = isprint((unsigned char)data[i]) ? data[i] : '.';
	text[written] = '\0';
}

static void check_expected(struct connection *connection)
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

static void check_http(struct connection *connection)
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

static int connect_to_server(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		stop(1, "cannot connect to port=%u: %s", ntohs(address.sin_port), strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

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
			if (protocol == HTTP)
				check_http(connection);
			else
				check_expected(connection);
		}
	}
}

/* Asks on a connection of its own, and waits for the reply. */
static void command(int fd, const char *text, char *reply, size_t capacity)
{
	ssize_t count;
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || poll(&wait, 1, PATIENCE_MS) != 1 ||
	    (count = read(fd, reply, capacity - 1)) <= 0)
		stop(1, "no reply to %.20s", text);
	reply[count] = '\0';
}

/*
 * Begins the next background save if it is due and none is at work. With due = the whole, waits for the end of the last
 * one.
 */
static void snapshots(uint64_t done, uint64_t all)
{
	static int fd = -1;
	static uint64_t begun;
	static int running;
	char reply[4096];

	if (!snapshot_count || (!running && done < all && done * snapshot_count < begun * all))
		return;
	if (fd < 0)
		fd = connect_to_server();
	for (;;) {
		if (running) {
			command(fd, "INFO persistence\r\n", reply, sizeof(reply));
			if (strstr(reply, "rdb_bgsave_in_progress:0")) {
				if (!strstr(reply, "rdb_last_bgsave_status:ok"))
					stop(1, "background save=%llu failed", (unsigned long long)begun);
				running = 0;
			}
		} else if (begun < snapshot_count && (done == all || done * snapshot_count >= begun * all)) {
			command(fd, "BGSAVE\r\n", reply, sizeof(reply));
			if (strncmp(reply, "+Background saving started", 26))
				stop(1, "wrong reply to BGSAVE: %.60s", reply);
			begun++;
			running = 1;
		}
		if (done < all || (!running && begun == snapshot_count))
			return;
		usleep(5000);
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
	uint64_t start = now_ns(), busy = 0, looked = 0, filled = protocol == HTTP ? 0 : key_count;

	for (uint64_t i = 0; i < connection_count; i++)
		busy += (uint64_t)next_batch(&connections[i]);
	while (busy) {
		for (uint64_t i = 0; i < connection_count; i++) {
			struct connection *connection = &connections[i];

			polled[i] =
				(struct pollfd){ .fd = connection->under_way ? connection->fd : -1, .events = POLLIN };
			if (connection->sent < connection->request.length)
				polled[i].events |= POLLOUT;
		}
		if (poll(polled, (nfds_t)connection_count, PATIENCE_MS) <= 0)
			stop(1, "no reply for seconds=%d", PATIENCE_MS / 1000);
		for (uint64_t i = 0; i < connection_count; i++) {
			struct connection *connection = &connections[i];

			if (!polled[i].revents)
				continue;
			transfer(connection, polled[i].revents);
			if (connection->answered == connection->under_way && !next_batch(connection))
				busy--;
		}
		if (snapshot_count && latency_count >= filled && latency_count - looked >= request_count / 100 + 1) {
			looked = latency_count;
			snapshots(latency_count - filled < request_count ? latency_count - filled : request_count - 1,
				  request_count);
		}
	}
	snapshots(request_count, request_count);
	return now_ns() - start;
}

static void prepare(void)
{
	uint64_t state = seed;

	pool_length = 4 * most + 65536;
	pool = allocate(pool_length, 1);
	for (uint64_t i = 0; i < pool_length; i++)
		pool[i] = (char)(' ' + next_random(&state) % 95);
	file_hashes = allocate(key_count, sizeof(*file_hashes));
	latency_capacity = request_count + (protocol == HTTP ? 0 : 2 * key_count);
	latencies = allocate(latency_capacity, sizeof(*latencies));
	for (uint64_t i = 0; i < connection_count; i++) {
		struct connection *connection = &connections[i];

		connection->fd = connect_to_server();
		if (fcntl(connection->fd, F_SETFL, O_NONBLOCK))
			stop(1, "fcntl: %s", strerror(errno));
		connection->random = seed * 1000003 + i;
		connection->lengths = allocate(keys_of(connection), sizeof(uint64_t));
		connection->offsets = allocate(keys_of(connection), sizeof(uint64_t));
		connection->ends = allocate(pipeline, sizeof(size_t));
		connection->files = allocate(pipeline, sizeof(uint64_t));
	}
}

static uint64_t number(const char *name, const char *text, uint64_t from, uint64_t to)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || value < from || value > to)
		stop(2, "%s=%s is not a number from %llu to %llu", name, text, (unsigned long long)from,
		     (unsigned long long)to);
	return value;
}

static void parse(int count, char **arguments)
{
	static const struct {
		const char *name;
		uint64_t *value, from, to;
	} numbers[] = {
		{ "connections", &connection_count, 1, CONNECTIONS_MAX },
		{ "pipeline", &pipeline, 1, 10000 },
		{ "requests", &request_count, 1, 1000000000 },
		{ "keys", &key_count, 1, 100000000 },
		{ "least", &least, 0, 1 << 28 },
		{ "most", &most, 0, 1 << 28 },
		{ "reads", &read_percent, 0, 100 },
		{ "removals", &removal_percent, 0, 100 },
		{ "snapshots", &snapshot_count, 0, 1000 },
		{ "seed", &seed, 0, UINT32_MAX },
	};
	enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };
	struct option options[NUMBERS + 1] = { 0 };
	int option;

	for (int i = 0; i < NUMBERS; i++)
		options[i] = (struct option){ numbers[i].name, required_argument, NULL, i };
	opterr = 0;
	while ((option = getopt_long(count, arguments, ":", options, NULL)) >= 0) {
		if (option >= NUMBERS)
			stop(2, "unknown option, or one without its number: %s", arguments[optind - 1]);
		*numbers[option].value = number(numbers[option].name, optarg, numbers[option].from, numbers[option].to);
	}
	if (count - optind != 2)
		stop(2, "usage: upa-load redis|memcached|http PORT [--OPTION NUMBER]...; "
			"options are at the top of load.c");
	if (!strcmp(arguments[optind], "redis"))
		protocol = REDIS;
	else if (!strcmp(arguments[optind], "memcached"))
		protocol = MEMCACHED;
	else if (!strcmp(arguments[optind], "http"))
		protocol = HTTP;
	else
		stop(2, "protocol=%s is not redis, memcached or http", arguments[optind]);
	address.sin_port = htons((uint16_t)number("port", arguments[optind + 1], 1, 65535));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (most < least)
		stop(2, "most=%llu is less than least=%llu", (unsigned long long)most, (unsigned long long)least);
	if (read_percent + removal_percent > 100)
		stop(2, "reads=%llu and removals=%llu are more than 100 percent", (unsigned long long)read_percent,
		     (unsigned long long)removal_percent);
	if (protocol != HTTP && key_count < connection_count)
		stop(2, "keys=%llu are fewer than connections=%llu", (unsigned long long)key_count,
		     (unsigned long long)connection_count);
	if (protocol != REDIS && snapshot_count)
		stop(2, "snapshots=%llu need protocol redis", (unsigned long long)snapshot_count);
}

int main(int count, char **arguments)
{
	uint64_t elapsed;

	parse(count, arguments);
	prepare();
	elapsed = run();
	if (latency_count != latency_capacity)
		stop(1, "replies=%llu of %llu", (unsigned long long)latency_count,
		     (unsigned long long)latency_capacity);
	qsort(latencies, latency_count, sizeof(*latencies), compare);
	printf("{\"requests\":%llu,\"seconds\":%.6f,\"throughput\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"check\":\"%016llx\"}\n",
	       (unsigned long long)latency_count, (double)elapsed / 1e9,
	       (double)latency_count / ((double)elapsed / 1e9), (double)latencies[(latency_count - 1) / 2] / 1e3,
	       (double)latencies[(latency_count - 1) * 99 / 100] / 1e3, (unsigned long long)check);
	return fflush(stdout) || ferror(stdout);
}
