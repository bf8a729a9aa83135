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
	CHECK(!pressure_near(1000, 900), "a tenth is left");
	CHECK(pressure_near(1000, 901), "less than a tenth is left");
	CHECK(pressure_near(1000, 2000), "more than there is");
	CHECK(!pressure_near(0, 901), "no limit");
	CHECK(!pressure_near(-1, 901), "not known");
	CHECK(!pressure_near(1000, -1), "not known");
}

/* The n-th candidate of a text. */
static void candidate(const char *text, unsigned n, unsigned line, const char *limit, const char *use)
{
	struct pressure_group group;

	CHECK(pressure_candidate(text, n, &group), "n=%u of %s", n, text);
	CHECK(group.line == line && !strcmp(group.limit, limit) && !strcmp(group.use, use),
	      "n=%u of %s: line=%u limit=%s use=%s", n, text, group.line, group.limit, group.use);
}

static void none(const char *text, unsigned n)
{
	struct pressure_group group;

	CHECK(!pressure_candidate(text, n, &group), "n=%u of %s: %s", n, text, group.limit);
}

static void groups(void)
{
	static const char v2[] = "0::/user.slice/a b.scope\n";
	static const char v1[] = "12:pids:/p\n7:memory:/docker/ab12\n3:cpu,cpuacct:/c\n1:name=systemd:/s\n";
	static const char hybrid[] = "5:memory:/m\n0::/u";
	char path[5000];

	candidate(v2, 0, 0, "/sys/fs/cgroup/user.slice/a b.scope/memory.max",
		  "/sys/fs/cgroup/user.slice/a b.scope/memory.current");
	candidate(v2, 1, 0, "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current");
	none(v2, 2);
	candidate(v1, 0, 1, "/sys/fs/cgroup/memory/docker/ab12/memory.limit_in_bytes",
		  "/sys/fs/cgroup/memory/docker/ab12/memory.usage_in_bytes");
	candidate(v1, 1, 1, "/sys/fs/cgroup/memory/memory.limit_in_bytes",
		  "/sys/fs/cgroup/memory/memory.usage_in_bytes");
	none(v1, 2);
	candidate(hybrid, 0, 0, "/sys/fs/cgroup/memory/m/memory.limit_in_bytes",
		  "/sys/fs/cgroup/memory/m/memory.usage_in_bytes");
	candidate(hybrid, 2, 1, "/sys/fs/cgroup/u/memory.max", "/sys/fs/cgroup/u/memory.current");
	candidate(hybrid, 3, 1, "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current");
	none(hybrid, 4);
	none("", 0);
	none("nonsense\n", 0);
	none("0:\n::\n", 0);
	none("10::/ten is not zero\n", 0);
	none("3:memory2:/x\n4:xmemory:/y\n", 0);
	/* Too long to be read. */
	memset(path, 'x', sizeof(path) - 1);
	memcpy(path, "0::/", 4);
	path[sizeof(path) - 1] = 0;
	candidate(path, 0, 0, "", "");
	candidate(path, 1, 0, "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current");
	/* Just not: 14 + length + 11 < 4096 holds the limit, not the longer name of the use. */
	path[3 + PRESSURE_PATH_BYTES - 14 - 11 - 1] = 0;
	{
		struct pressure_group group;

		CHECK(pressure_candidate(path, 0, &group), "long");
		CHECK(strlen(group.limit) == PRESSURE_PATH_BYTES - 1 && !*group.use, "%zu %zu", strlen(group.limit),
		      strlen(group.use));
	}
}

int main(void)
{
	numbers();
	stalls();
	once_a_second();
	limits();
	groups();
	return 0;
}
