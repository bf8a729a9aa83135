/* SPDX-License-Identifier: Apache-2.0 */
/* replies.h - every byte of every reply is checked, and its time is kept. */
#ifndef UPA_LOAD_REPLIES_H
#define UPA_LOAD_REPLIES_H

#include "connection.h"

struct replies {
	uint64_t count, wanted;
	uint64_t *latencies; /* nanoseconds, of the first `count` */
	uint64_t check;      /* a sum over all replies */
};

extern struct replies replies;

/* Before the first of so many replies. */
void replies_prepare(uint64_t wanted);

/* What has come so far of a connection's replies, of redis or memcached, or of http. Ends if it is wrong. */
void check_expected(struct connection *connection);
void check_http(struct connection *connection);

#endif
