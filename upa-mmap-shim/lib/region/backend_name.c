/* SPDX-License-Identifier: Apache-2.0 */
#include "region/backend_name.h"

#include <errno.h>
#include <string.h>

#include <upa/region.h>

#include "os/message.h"

static const char *const names[] = { "linear", "pte", "pte-raw" };

int upa_backend_parse(const char *name)
{
	for (int i = 0; i < 3; i++)
		if (!strcmp(name, names[i]))
			return i;
	return -1;
}

static const char *reason(int error)
{
	switch (-error) {
	case ENOENT: return "there is no /dev/upa: load the module of kernel-ext";
	case EACCES: return "no permission to open /dev/upa";
	case EPERM: return "the module does not allow it: load it with raw=1, and run with CAP_SYS_RAWIO";
	case ENOMEM: return "not enough memory, or RLIMIT_MEMLOCK is too low";
	case EPROTO: return "the module is of another version";
	default: return "/dev/upa is not usable";
	}
}

void upa_backend_refused(unsigned backend, int error)
{
	struct message m = { .length = 0 };

	message_text(&m, "upa: UPA_BACKEND=");
	message_text(&m, names[backend]);
	message_text(&m, ": ");
	message_text(&m, reason(error));
	message_text(&m, "; memory comes from the kernel\n");
	message_send(&m, 2);
}
