/* SPDX-License-Identifier: Apache-2.0 */
#include "own_folder.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

char *own_folder(void)
{
	char self[4096], *slash;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		say_and_exit(STATUS_FAILURE, "cannot find my own file: /proc/self/exe: %s", strerror(errno));
	self[length] = 0;
	if ((slash = strrchr(self, '/')))
		*slash = 0;
	return joined("%s", self);
}
