/* SPDX-License-Identifier: Apache-2.0 */
/* pressure.c - what the kernel's texts say of memory that is short (policy/pressure.h). */
#include <stdbool.h>
#include <string.h>

#include "check.h"
#include "policy/pressure.h"

static void number(const char *text, int64_t expected)
{
	int64_t n = pressure_number(text);

	CHECK(n == expected, "text=%s n=%" PRId64, text, n);
}

static void numbers(void)
{
	number("", -1);
	number("max\n", -1);
	number("-5", -1);
	number("0", 0);
	number("536870912\n", 536870912);
	/* Version 1's word for no limit; a larger number is cut. */
	number("9223372036854771712\n", 9223372036854771712);
	number("9223372036854775807\n", 922337203685477580);
	number("12.34 avg60", 1234);
	number("0.05", 5);
	number("7 8", 7);
}

static void stall(const char *average, bool expected)
{
	char text[200];

	snprintf(text, sizeof(text), "some avg10=%s avg60=99.00 avg300=99.00 total=123\nfull avg10=99.00 avg60=0.00\n",
		 average);
	CHECK(pressure_stalls(text) == expected, "%s", average);
}

static void stalls(void)
{
	stall("0.00", false);
	stall("5.00", false);
	stall("5.01", true);
	stall("42.17", true);
	stall("100.00", true);
	CHECK(!pressure_stalls(""), "empty");
	CHECK(!pressure_stalls("some avg60=99.00"), "no average of ten seconds");
}

/* Whose group is at its limit waits, whatever the others keep. */
static void who_waits(void)
{
	CHECK(!pressure_is_short(8ll << 30, 64ll << 30), "an eighth");
	CHECK(pressure_is_short((8ll << 30) - 1, 64ll << 30), "less than an eighth");
	CHECK(pressure_is_short(-1, 64ll << 30) && pressure_is_short(1ll << 30, -1), "not known");
}

static void once_a_second(void)
{
	struct pressure p = { 0 };

	CHECK(pressure_due(&p, 5000), "never asked");
	pressure_answer(&p, 5000, true);
	CHECK(p.stalls, "answer");
	CHECK(!pressure_due(&p, 5999), "too soon");
	CHECK(pressure_due(&p, 6000), "a second later");
	pressure_answer(&p, 6000, false);
	CHECK(!p.stalls && !pressure_due(&p, 6500), "answer");
}

static void limits(void)
{
	CHECK(pressure_is_limit(1), "1");
	CHECK(pressure_is_limit((1ll << 60) - 1), "EiB");
	CHECK(!pressure_is_limit(1ll << 60), "more than anybody has");
	CHECK(!pressure_is_limit(9223372036854771712), "version 1's word for none");
	CHECK(!pressure_is_limit(-1), "not known");
	CHECK(pressure_is_limit(0), "nothing at all");
}

static void fields(void)
{
	static const char text[] = "anon 5\ninactive_file 70\nactive_file 8\nMemAvailable:   1234 kB\nlast_one 3";

	CHECK(pressure_field(text, "anon") == 5, "the first");
	CHECK(pressure_field(text, "active_file") == 8, "not a part of another");
	CHECK(pressure_field(text, "inactive_file") == 70, "in the middle");
	CHECK(pressure_field(text, "MemAvailable") == 1234, "with a colon");
	CHECK(pressure_field(text, "last_one") == 3, "without an end");
	CHECK(pressure_field(text, "last") == -1, "the start of another");
	CHECK(pressure_field("", "anon") == -1, "nothing");
}

static void keepable(int64_t limit, int64_t use, int64_t files, int64_t kept, int64_t expected)
{
	int64_t most = pressure_keepable(limit, use, files, kept);

	CHECK(most == expected, "limit=%" PRId64 " use=%" PRId64 " files=%" PRId64 " kept=%" PRId64 ": %" PRId64, limit,
	      use, files, kept, most);
}

static void how_much_may_be_kept(void)
{
	/* A share of the limit. */
	keepable(3200, 0, 0, 0, 100);
	keepable(3200, 3000, 0, 0, 100);
	/* Of what is left, half; what is kept is no use of others. */
	keepable(3200, 3100, 0, 0, 50);
	keepable(3200, 3100, 0, 20, 60);
	keepable(3200, 3100, 30, 20, 75);
	keepable(3200, 3200, 0, 0, 0);
	keepable(3200, 4000, 0, 0, 0);
	keepable(3200, 4000, 4000, 4000, 100);
	keepable(0, 0, 0, 0, 0);
	keepable(3200, -1, 0, 50, 100);
	/* No limit, or one that is none. */
	keepable(-1, 50, 0, 50, INT64_MAX);
	keepable(9223372036854771712, 50, 0, 50, INT64_MAX);
	CHECK(pressure_keepable_of_machine(100, 20) == 60, "half");
	CHECK(pressure_keepable_of_machine(0, 0) == 0, "nothing is left");
	CHECK(pressure_keepable_of_machine(-1, 20) == INT64_MAX, "not known");
}

/* The n-th level of a text. */
static void level(const char *text, unsigned n, bool unified, const char *folder)
{
	struct pressure_level l;

	CHECK(pressure_level(text, n, &l), "n=%u of %s", n, text);
	CHECK(l.unified == unified && !strcmp(l.folder, folder), "n=%u of %s: %s", n, text, l.folder);
}

static void none(const char *text, unsigned n)
{
	struct pressure_level l;

	CHECK(!pressure_level(text, n, &l), "n=%u of %s: %s", n, text, l.folder);
}

static void groups(void)
{
	static const char v2[] = "0::/user.slice/a b.scope\n";
	static const char v1[] = "12:pids:/p\n7:memory:/docker/ab12\n3:cpu,cpuacct:/c\n1:name=systemd:/s\n";
	static const char hybrid[] = "5:memory:/m\n0::/u";
	char path[5000];

	level(v2, 0, true, "/sys/fs/cgroup/user.slice/a b.scope");
	level(v2, 1, true, "/sys/fs/cgroup/user.slice");
	level(v2, 2, true, "/sys/fs/cgroup");
	none(v2, 3);
	level(v1, 0, false, "/sys/fs/cgroup/memory/docker/ab12");
	level(v1, 1, false, "/sys/fs/cgroup/memory/docker");
	level(v1, 2, false, "/sys/fs/cgroup/memory");
	none(v1, 3);
	level(hybrid, 0, false, "/sys/fs/cgroup/memory/m");
	level(hybrid, 1, false, "/sys/fs/cgroup/memory");
	level(hybrid, 2, true, "/sys/fs/cgroup/u");
	level(hybrid, 3, true, "/sys/fs/cgroup");
	none(hybrid, 4);
	level("0::/\n", 0, true, "/sys/fs/cgroup");
	none("0::/\n", 1);
	none("", 0);
	none("nonsense\n", 0);
	none("0:\n::\n", 0);
	none("10::/ten is not zero\n", 0);
	none("3:memory2:/x\n4:xmemory:/y\n", 0);
	/* Too long to be read, with a file's name behind; its root is not. */
	memset(path, 'x', sizeof(path) - 1);
	memcpy(path, "0::/", 4);
	path[sizeof(path) - 1] = 0;
	level(path, 0, true, "");
	level(path, 1, true, "/sys/fs/cgroup");
	path[3 + PRESSURE_PATH_BYTES - 14 - PRESSURE_FILE_BYTES + 1] = 0;
	level(path, 0, true, "");
	path[3 + PRESSURE_PATH_BYTES - 14 - PRESSURE_FILE_BYTES] = 0;
	{
		struct pressure_level l;

		CHECK(pressure_level(path, 0, &l) && strlen(l.folder) == PRESSURE_PATH_BYTES - PRESSURE_FILE_BYTES,
		      "%zu", strlen(l.folder));
	}
}

int main(void)
{
	numbers();
	stalls();
	who_waits();
	once_a_second();
	limits();
	fields();
	how_much_may_be_kept();
	groups();
	return 0;
}
