/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the environment itself: a program may bring a getenv() of its own, as bash does, that is not ready yet. */
#define _GNU_SOURCE
#include "settings.h"

#include <stddef.h>
#include <unistd.h>
#include <string.h>

#include "region/backend_name.h"
#include "os/message.h"

struct settings settings = {
	.retain_percent = 10,
	.decay_ms = 1000,
	.launched = UPA_NOT_LAUNCHED,
	.redirect = true,
	.brk = true,
	.uncleared = true,
	.huge = true,
};

static const char *value_of(const char *name)
{
	size_t length = strlen(name);

	for (char **entry = environ; entry && *entry; entry++)
		if (!strncmp(*entry, name, length) && (*entry)[length] == '=')
			return *entry + length + 1;
	return NULL;
}

static void complain(const char *name, const char *value, const char *expected)
{
	struct message m = { .length = 0 };

	message_text(&m, "upa: ");
	message_text(&m, name);
	message_text(&m, "=");
	message_text(&m, value);
	message_text(&m, " is not ");
	message_text(&m, expected);
	message_text(&m, "; its default holds\n");
	message_send(&m, 2);
}

/* A number of at most `most`, with a suffix K, M, G or T if `suffixes`. */
static bool parse(const char *text, bool suffixes, uint64_t most, uint64_t *out)
{
	static const char letters[] = "KMGT";
	uint64_t n = 0;
	const char *letter;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > most)
			return false;
	}
	if (suffixes && *text && (letter = strchr(letters, *text))) {
		int shift = 10 * (int)(letter - letters + 1);

		if (n > most >> shift)
			return false;
		n <<= shift;
		text++;
	}
	if (*text)
		return false;
	*out = n;
	return true;
}

static void read_number(const char *name, bool suffixes, uint64_t least, uint64_t most, const char *expected, uint64_t *out)
{
	const char *value = value_of(name);
	uint64_t n;

	if (!value || !*value)
		return;
	if (parse(value, suffixes, most, &n) && n >= least)
		*out = n;
	else
		complain(name, value, expected);
}

static void read_switch(const char *name, bool *out)
{
	uint64_t n = *out;

	read_number(name, false, 0, 1, "0 or 1", &n);
	*out = n;
}

static void read_backend(void)
{
	const char *value = value_of("UPA_BACKEND");
	int backend = value && *value ? upa_backend_parse(value) : 0;

	if (backend >= 0)
		settings.backend = (uint32_t)backend;
	else
		complain("UPA_BACKEND", value, "linear, pte or pte-raw");
}

void settings_read(void)
{
	read_number("UPA_REGION_BYTES", true, 2ull << 20, 16ull << 40, "a size from 2M to 16T", &settings.region_bytes);
	read_number("UPA_LEAST_BYTES", true, 0, 16ull << 40, "a size up to 16T", &settings.least_bytes);
	read_number("UPA_RETAIN", false, 0, 1000, "a percentage from 0 to 1000", &settings.retain_percent);
	read_number("UPA_DECAY_MS", false, 0, 3600000, "a number of milliseconds from 0 to 3600000", &settings.decay_ms);
	settings.trace = value_of("UPA_TRACE");
	read_number("UPA_POOL_BYTES", true, 2ull << 20, 16ull << 40, "a size from 2M to 16T", &settings.pool_bytes);
	read_backend();
	read_switch("UPA_RECLAIM", &settings.reclaim);
	read_switch("UPA_STRICT", &settings.strict);
	read_switch("UPA_STATS", &settings.stats);
	read_switch("UPA_REDIRECT", &settings.redirect);
	read_switch("UPA_BRK", &settings.brk);
	read_switch("UPA_UNCLEARED", &settings.uncleared);
	read_switch("UPA_HUGE", &settings.huge);
	read_switch("UPA_OFF", &settings.off);
	read_number("UPA_LAUNCHED", false, 0, 1u << 22, "a process id", &settings.launched);
}
