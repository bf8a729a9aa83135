/* SPDX-License-Identifier: Apache-2.0 */
/* connection.h - one connection: its keys are those equal to its number modulo the number of connections. */
#ifndef UPA_LOAD_CONNECTION_H
#define UPA_LOAD_CONNECTION_H

#include "base.h"

#define PATIENCE_MS 20000 /* how long a reply may take */

enum step { FILL, WORK, READ_BACK, DONE };

struct connection {
	uint64_t number;
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

/* To the server, blocking. Ends with a line if there is none. */
int connect_to_server(void);

#endif
