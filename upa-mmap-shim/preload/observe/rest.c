/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/rest.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/file.h"
#include "os/os.h"
#include "settings.h"

static struct upa_rest *rest;
static const char *name;

void rest_start(const char *file)
{
	long fd, at;

	if (!file || *file != '/')
		return;
	fd = file_open(file, O_RDWR);
	if (os_failed(fd))
		return;
	at = os_call(SYS_mmap, 0, sizeof(*rest), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	file_close((int)fd);
	if (os_failed(at))
		return;
	rest = (struct upa_rest *)at;
	name = file;
}

static bool says_it(void)
{
	return settings.launched == (uint64_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

bool rest_is_open(void)
{
	return rest;
}

bool rest_is_counted(void)
{
	return rest && !says_it();
}

bool rest_same_error(uint64_t device, uint64_t inode)
{
	return !rest || (rest->device == device && rest->inode == inode);
}

void rest_add_little(uint64_t page_faults)
{
	if (!rest)
		return;
	atomic_fetch_add(&rest->little, 1);
	atomic_fetch_add(&rest->page_faults, page_faults);
}

void rest_add_elsewhere(void)
{
	if (rest)
		atomic_fetch_add(&rest->elsewhere, 1);
}

void rest_say(struct message *m)
{
	uint64_t little, elsewhere;

	if (!rest || !says_it())
		return;
	little = atomic_load(&rest->little);
	elsewhere = atomic_load(&rest->elsewhere);
	if (little) {
		message_text(m, "upa: nothing, or next to nothing, from UPA in ");
		message_number(m, little, 0);
		message_text(m, little == 1 ? " other program, " : " other programs, ");
		message_number(m, atomic_load(&rest->page_faults), 0);
		message_text(m, " page faults\n");
	}
	if (elsewhere) {
		message_text(m, "upa: ");
		message_number(m, elsewhere, 0);
		message_text(m, " more had another standard error: --stats=FILE has their tables\n");
	}
	os_call(SYS_unlinkat, AT_FDCWD, (long)name, 0, 0, 0, 0);
}
