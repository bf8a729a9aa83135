/* SPDX-License-Identifier: Apache-2.0 */
/* requests.h - what a connection asks, and for redis and memcached what has to be answered. */
#ifndef UPA_LOAD_REQUESTS_H
#define UPA_LOAD_REQUESTS_H

#include "connection.h"

/* Before all else. */
void requests_prepare(void);

/* How many keys are the connection's. */
uint64_t keys_of(const struct connection *connection);

/* Fills in the requests to be sent together. Returns 0 when all has been asked and answered. */
int next_batch(struct connection *connection);

#endif
