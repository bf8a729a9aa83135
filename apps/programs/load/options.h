/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - what the command line says; load.c explains each. */
#ifndef UPA_LOAD_OPTIONS_H
#define UPA_LOAD_OPTIONS_H

#include <netinet/in.h>
#include <stdint.h>

#define CONNECTIONS_MAX 256u

enum protocol { REDIS, MEMCACHED, HTTP };

struct settings {
	enum protocol protocol;
	uint64_t connections, pipeline, requests, keys;
	uint64_t least, most;     /* bytes of a value */
	uint64_t reads, removals; /* percent */
	uint64_t snapshots, seed;
	struct sockaddr_in server;
};

extern struct settings settings;

/* Ends with a line and status 2 if something makes no sense. */
void settings_parse(int count, char **arguments);

#endif
