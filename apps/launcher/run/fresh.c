/* SPDX-License-Identifier: Apache-2.0 */
#include "fresh.h"

#include <fts.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "say.h"

/* Tests and documents are no part of what is built. */
static const char *const sources[] = {
	"CMakeLists.txt",
	"CMakePresets.json",
	"kernel-ext/include",
	"apps/launcher/run",
	"upa-mmap-shim/CMakeLists.txt",
	"upa-mmap-shim/cmake",
	"upa-mmap-shim/include",
	"upa-mmap-shim/lib",
	"upa-mmap-shim/malloc",
	"upa-mmap-shim/preload",
};

#define SOURCES (sizeof(sources) / sizeof(*sources))

static bool is_newer(const struct stat *file, const struct stat *stamp)
{
	return file->st_mtim.tv_sec != stamp->st_mtim.tv_sec ? file->st_mtim.tv_sec > stamp->st_mtim.tv_sec :
							       file->st_mtim.tv_nsec > stamp->st_mtim.tv_nsec;
}

bool fresh(const char *root)
{
	char *paths[SOURCES + 1] = { NULL };
	struct stat stamp;
	bool newer = false;
	FTS *files;

	if (stat(joined("%s/build/stamp/run", root), &stamp))
		return false;
	for (size_t i = 0; i < SOURCES; i++)
		paths[i] = joined("%s/%s", root, sources[i]);
	files = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, NULL);
	for (FTSENT *entry; files && !newer && (entry = fts_read(files));)
		newer = entry->fts_info == FTS_DP ? false :
						    entry->fts_info == FTS_NS || is_newer(entry->fts_statp, &stamp);
	if (files)
		fts_close(files);
	for (size_t i = 0; i < SOURCES; i++)
		free(paths[i]);
	return files && !newer;
}
