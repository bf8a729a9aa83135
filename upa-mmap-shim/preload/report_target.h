/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_target.h - what UPA_STATS may say: 0 (nothing), 1 (a table on standard error), json, the absolute path of a
 * file, or json:FILE. Read by the library, and by upa-run, which refuses what the library would not take.
 */
#ifndef UPA_REPORT_TARGET_H
#define UPA_REPORT_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct report_target {
	bool wanted, json;
	const char *file; /* NULL: standard error */
};

/* False if the value makes no sense; *target is then as it was. */
static inline bool report_target_parse(const char *value, struct report_target *target)
{
	bool json = !strncmp(value, "json", 4) && (!value[4] || value[4] == ':');
	const char *file = json ? value + 4 + (value[4] == ':') : value;

	if (*file != '/' && !(json && !value[4]) && strcmp(value, "0") && strcmp(value, "1"))
		return false;
	*target = (struct report_target){ strcmp(value, "0") != 0, json, *file == '/' ? file : NULL };
	return true;
}

#endif
