/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "connection.h"
#include "options.h"

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

void snapshots(uint64_t done, uint64_t all)
{
	static int fd = -1;
	static uint64_t begun;
	static int running;
	char reply[4096];

	if (!settings.snapshots || (!running && done < all && done * settings.snapshots < begun * all))
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
		} else if (begun < settings.snapshots && (done == all || done * settings.snapshots >= begun * all)) {
			command(fd, "BGSAVE\r\n", reply, sizeof(reply));
			if (strncmp(reply, "+Background saving started", 26))
				stop(1, "wrong reply to BGSAVE: %.60s", reply);
			begun++;
			running = 1;
		}
		if (done < all || (!running && begun == settings.snapshots))
			return;
		usleep(5000);
	}
}
