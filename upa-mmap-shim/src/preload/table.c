/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "../os.h"
#include "brk.h"
#include "message.h"
#include "purge.h"
#include "settings.h"

bool table_wanted;

/* Where standard error was at the start: programs close it, or use its number for something else. */
static int out = -1;

#define REMARKS 4
static const char *remarks[REMARKS];

static const struct {
	const char *name;
	size_t below;
} sizes[] = { { "under 64 KiB", 64ul << 10 }, { "under 1 MiB", 1ul << 20 }, { "under 32 MiB", 32ul << 20 }, { "larger", SIZE_MAX } };

#define SIZES (sizeof(sizes) / sizeof(*sizes))

static _Atomic uint64_t served_requests[SIZES], passed_requests[SIZES];

void table_start(void)
{
	long fd;

	if (!settings.stats)
		return;
	fd = os_call(SYS_fcntl, 2, F_DUPFD_CLOEXEC, 100, 0, 0, 0);
	if (os_failed(fd))
		return;
	out = (int)fd;
	table_wanted = true;
}

void table_remark(const char *text)
{
	for (int i = 0; i < REMARKS; i++)
		if (!remarks[i]) {
			remarks[i] = text;
			return;
		}
}

void table_count(size_t bytes, bool served)
{
	size_t i = 0;

	while (bytes >= sizes[i].below && i < SIZES - 1)
		i++;
	atomic_fetch_add_explicit(&(served ? served_requests : passed_requests)[i], 1, memory_order_relaxed);
}

void table_after_fork(void)
{
	for (size_t i = 0; i < SIZES; i++) {
		atomic_store(&served_requests[i], 0);
		atomic_store(&passed_requests[i], 0);
	}
}

static void amount(struct message *m, const char *name, uint64_t bytes)
{
	message_text(m, "  ");
	message_pad(m, name, 32);
	message_number(m, bytes >> 10, 14);
	message_text(m, " KiB\n");
}

static void line(struct message *m, const char *name, uint64_t served, uint64_t passed)
{
	message_text(m, "  ");
	message_pad(m, name, 32);
	message_number(m, served, 14);
	message_number(m, passed, 14);
	message_text(m, "\n");
}

static void name_of_program(char *name, size_t bytes)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/comm", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	long n = os_failed(fd) ? 0 : os_call(SYS_read, fd, (long)name, (long)bytes - 1, 0, 0, 0);

	if (!os_failed(fd))
		os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	name[n > 0 ? n - 1 : 0] = 0;
}

void table_print(const struct upa_region *r)
{
	struct message m = { .length = 0 };
	uint64_t served = 0, passed = 0, reused, given_back;
	struct rusage usage;
	char name[32];

	if (!table_wanted)
		return;
	name_of_program(name, sizeof(name));
	message_text(&m, "upa: ");
	message_text(&m, name);
	message_text(&m, ", process ");
	message_number(&m, (uint64_t)getpid(), 0);
	message_text(&m, "\n  ");
	message_pad(&m, "requests for memory", 32);
	message_text(&m, "        served     passed on\n");
	for (size_t i = 0; i < SIZES; i++) {
		uint64_t s = atomic_load(&served_requests[i]);
		uint64_t p = atomic_load(&passed_requests[i]);

		served += s;
		passed += p;
		line(&m, sizes[i].name, s, p);
	}
	line(&m, "all", served, passed);
	if (r) {
		struct upa_region_stats st;

		upa_region_get_stats(r, &st);
		amount(&m, "in use", st.allocated_bytes);
		amount(&m, "free and populated", st.retained_bytes);
		amount(&m, "reused and cleared", st.cleared_bytes);
		amount(&m, "moved", st.moved_bytes);
		amount(&m, "given back to the kernel", st.given_back_bytes);
		amount(&m, "purged without the kernel", purge_count());
		brk_counts(&reused, &given_back);
		amount(&m, "heap reused and cleared", reused);
		amount(&m, "heap given back to the kernel", given_back);
	}
	if (!getrusage(RUSAGE_SELF, &usage)) {
		message_text(&m, "  ");
		message_pad(&m, "page faults", 32);
		message_number(&m, (uint64_t)usage.ru_minflt, 14);
		message_text(&m, "\n");
		amount(&m, "peak resident", (uint64_t)usage.ru_maxrss << 10);
	}
	for (int i = 0; i < REMARKS && remarks[i]; i++) {
		message_text(&m, "  note: ");
		message_text(&m, remarks[i]);
		message_text(&m, "\n");
	}
	message_send(&m, out);
}
