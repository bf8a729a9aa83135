/* SPDX-License-Identifier: Apache-2.0 */
/* os_size.c - which texts are numbers and sizes, at both ends of what fits, and which are not. */
#include "os/size.h"

#include "check.h"

#define UNTOUCHED 0xabcdefull

static void accept(bool (*parse)(const char *, uint64_t, uint64_t *), const char *text, uint64_t most,
		   uint64_t expected)
{
	uint64_t n = UNTOUCHED;

	CHECK(parse(text, most, &n) && n == expected, "text=%s most=%" PRIu64 " n=%" PRIu64, text, most, n);
}

static void refuse(bool (*parse)(const char *, uint64_t, uint64_t *), const char *text, uint64_t most)
{
	uint64_t n = UNTOUCHED;

	CHECK(!parse(text, most, &n) && n == UNTOUCHED, "text=%s most=%" PRIu64 " n=%" PRIu64, text, most, n);
}

int main(void)
{
	static const char *const no_number[] = { "",    " 1", "1 ",  "+1",  "-1",  "0x10",
						 "1.5", "K",  "1e3", "one", "1\n", "1,000" };
	static const char *const no_size[] = { "1k", "1KB", "1KiB", "1KK", "1P", "M1", "1 K", "1K " };

	for (size_t i = 0; i < sizeof(no_number) / sizeof(*no_number); i++) {
		refuse(number_parse, no_number[i], UINT64_MAX);
		refuse(size_parse, no_number[i], UINT64_MAX);
	}
	for (size_t i = 0; i < sizeof(no_size) / sizeof(*no_size); i++) {
		refuse(number_parse, no_size[i], UINT64_MAX);
		refuse(size_parse, no_size[i], UINT64_MAX);
	}
	refuse(number_parse, "1K", UINT64_MAX);

	accept(number_parse, "0", 0, 0);
	refuse(number_parse, "1", 0);
	accept(number_parse, "007", 9, 7);
	accept(number_parse, "9", 9, 9);
	refuse(number_parse, "10", 9);
	accept(number_parse, "1000", 1000, 1000);
	refuse(number_parse, "1001", 1000);
	accept(number_parse, "18446744073709551615", UINT64_MAX, UINT64_MAX);
	refuse(number_parse, "18446744073709551616", UINT64_MAX);
	refuse(number_parse, "99999999999999999999999", UINT64_MAX);

	accept(size_parse, "0", 0, 0);
	accept(size_parse, "0T", 0, 0);
	accept(size_parse, "4096", UINT64_MAX, 4096);
	accept(size_parse, "1K", UINT64_MAX, 1ull << 10);
	accept(size_parse, "3M", UINT64_MAX, 3ull << 20);
	accept(size_parse, "5G", UINT64_MAX, 5ull << 30);
	accept(size_parse, "7T", UINT64_MAX, 7ull << 40);
	accept(size_parse, "16T", 16ull << 40, 16ull << 40);
	refuse(size_parse, "17T", 16ull << 40);
	refuse(size_parse, "17592186044417", 16ull << 40);
	accept(size_parse, "16777215T", UINT64_MAX, 16777215ull << 40);
	refuse(size_parse, "16777216T", UINT64_MAX); /* 2^64 */
	refuse(size_parse, "18446744073709551615K", UINT64_MAX);
	accept(size_parse, "1K", 1024, 1024);
	refuse(size_parse, "1K", 1023);
	return 0;
}
