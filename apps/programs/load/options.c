/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

struct settings settings = {
	.connections = 8,
	.pipeline = 1,
	.requests = 10000,
	.keys = 1000,
	.least = 100,
	.most = 100,
	.reads = 50,
	.seed = 1,
	.server = { .sin_family = AF_INET },
};

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

void settings_parse(int count, char **arguments)
{
	static const struct {
		const char *name;
		uint64_t *value, from, to;
	} numbers[] = {
		{ "connections", &settings.connections, 1, CONNECTIONS_MAX },
		{ "pipeline", &settings.pipeline, 1, 10000 },
		{ "requests", &settings.requests, 1, 1000000000 },
		{ "keys", &settings.keys, 1, 100000000 },
		{ "least", &settings.least, 0, 1 << 28 },
		{ "most", &settings.most, 0, 1 << 28 },
		{ "reads", &settings.reads, 0, 100 },
		{ "removals", &settings.removals, 0, 100 },
		{ "snapshots", &settings.snapshots, 0, 1000 },
		{ "seed", &settings.seed, 0, UINT32_MAX },
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
		settings.protocol = REDIS;
	else if (!strcmp(arguments[optind], "memcached"))
		settings.protocol = MEMCACHED;
	else if (!strcmp(arguments[optind], "http"))
		settings.protocol = HTTP;
	else
		stop(2, "protocol=%s is not redis, memcached or http", arguments[optind]);
	settings.server.sin_port = htons((uint16_t)number("port", arguments[optind + 1], 1, 65535));
	settings.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (settings.most < settings.least)
		stop(2, "most=%llu is less than least=%llu", (unsigned long long)settings.most,
		     (unsigned long long)settings.least);
	if (settings.reads + settings.removals > 100)
		stop(2, "reads=%llu and removals=%llu are more than 100 percent", (unsigned long long)settings.reads,
		     (unsigned long long)settings.removals);
	if (settings.protocol != HTTP && settings.keys < settings.connections)
		stop(2, "keys=%llu are fewer than connections=%llu", (unsigned long long)settings.keys,
		     (unsigned long long)settings.connections);
	if (settings.protocol != REDIS && settings.snapshots)
		stop(2, "snapshots=%llu need protocol redis", (unsigned long long)settings.snapshots);
}
