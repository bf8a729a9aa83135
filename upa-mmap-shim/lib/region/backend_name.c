/* SPDX-License-Identifier: Apache-2.0 */
#include "region/backend_name.h"

#include <errno.h>
#include <string.h>

#include <upa/region.h>

#include "os/os.h"

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
	case ENOENT:
		return "there is no /dev/upa: load the module of kernel-ext";
	case EACCES:
		return "no permission to open /dev/upa";
	case EPERM:
		return "the module does not allow it: load it with raw=1, and run with CAP_SYS_RAWIO";
	case ENOMEM:
		return "not enough memory, or RLIMIT_MEMLOCK is too low";
	case EPROTO:
		return "the module is of another version";
	default:
		return "/dev/upa is not usable";
	}
}

void upa_backend_refused(unsigned backend, int error)
{
	char line[256];
	size_t n = 0;
	const char *parts[] = { "upa: UPA_BACKEND=", names[backend], ": ", reason(error),
				"; memory comes from the kernel\n" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		size_t length = strlen(parts[i]);

		if (length > sizeof(line) - n)
			break;
		memcpy(line + n, parts[i], length);
		n += length;
	}
	os_call(SYS_write, 2, (long)line, (long)n, 0, 0, 0);
}
