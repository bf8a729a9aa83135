/* SPDX-License-Identifier: Apache-2.0 */
/* trim_threshold.c - what the environment tells glibc's malloc() (upkeep/trim_threshold.h). */
#include "check.h"
#include "upkeep/trim_threshold.h"

static void is(const char *first, const char *second, int64_t expected)
{
	char *const environment[] = { "HOME=/", (char *)first, (char *)second, NULL };
	int64_t n = trim_threshold_in(environment);

	CHECK(n == expected, "%s %s: %" PRId64, first, second ? second : "", n);
}

#define TUNABLES "GLIBC_TUNABLES=glibc.malloc."

int main(void)
{
	CHECK(trim_threshold_in(NULL) == -1, "no environment");
	is("MALLOC_TRIM_THRESHOLD=5", NULL, -1);
	is("MALLOC_TRIM_THRESHOLD_=131072", NULL, 131072);
	is("MALLOC_TRIM_THRESHOLD_=0", NULL, 0);
	is("MALLOC_TRIM_THRESHOLD_=0x20000", NULL, 131072);
	is("MALLOC_TRIM_THRESHOLD_=0X2f", NULL, 47);
	is("MALLOC_TRIM_THRESHOLD_=0400000", NULL, 131072);
	is("MALLOC_TRIM_THRESHOLD_=", NULL, -1);
	is("MALLOC_TRIM_THRESHOLD_=-1", NULL, -1);
	is("MALLOC_TRIM_THRESHOLD_=12x", NULL, -1);
	is("MALLOC_TRIM_THRESHOLD_=0x", NULL, -1);
	is("MALLOC_TRIM_THRESHOLD_=18446744073709551615", NULL, -1);
	is(TUNABLES "trim_threshold=64", NULL, 64);
	is(TUNABLES "top_pad=1:glibc.malloc.trim_threshold=64:glibc.malloc.tcache_count=0", NULL, 64);
	is(TUNABLES "trim_threshold_x=64", NULL, -1);
	is(TUNABLES "top_pad=1", NULL, -1);
	/* The newer name counts. */
	is("MALLOC_TRIM_THRESHOLD_=5", TUNABLES "trim_threshold=64", 64);
	is(TUNABLES "top_pad=1", "MALLOC_TRIM_THRESHOLD_=5", 5);
	return 0;
}
