/* SPDX-License-Identifier: Apache-2.0 */
/* version_test.c - the library says the version of its header, and the header says it twice alike. */
#include "upa/version.h"

#include <stdio.h>
#include <string.h>

int main(void)
{
	char numbers[64];

	snprintf(numbers, sizeof(numbers), "%d.%d.%d", UPA_VERSION_MAJOR, UPA_VERSION_MINOR, UPA_VERSION_PATCH);
	if (strcmp(numbers, UPA_VERSION) || strcmp(upa_version(), UPA_VERSION)) {
		fprintf(stderr, "header: %s and %s, library: %s\n", UPA_VERSION, numbers, upa_version());
		return 1;
	}
	return 0;
}
