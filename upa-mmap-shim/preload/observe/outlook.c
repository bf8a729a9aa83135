/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/outlook.h"

#include "os/message.h"
#include "os/os.h"
#include "settings.h"

static void say(const char *what, const char *why)
{
	struct message m = { .length = 0 };

	if (settings.launched == UPA_NOT_LAUNCHED ||
	    (settings.launched && settings.launched != (uint64_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0)))
		return;
	message_text(&m, "upa: ");
	message_text(&m, what);
	message_text(&m, " comes from UPA: ");
	message_text(&m, why);
	message_text(&m, "\n");
	message_send(&m, 2);
}

void outlook_nothing(const char *why)
{
	say("nothing", why);
}

void outlook_part(const char *why)
{
	say("only part", why);
}
