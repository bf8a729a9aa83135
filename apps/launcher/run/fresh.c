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

static const char *const java_sources[] = {
	"pom.xml",
	"apps/tools/pom.xml",
	"apps/tools/src/main",
	"upa-core/pom.xml",
	"upa-core/src/main",
	"upa-core/pager/pom.xml",
	"upa-core/pager/src/main",
	"montecarlo-bench/pom.xml",
	"montecarlo-bench/src/main",
};

static bool is_newer(const struct stat *file, const struct stat *stamp)
{
	return file->st_mtim.tv_sec != stamp->st_mtim.tv_sec ? file->st_mtim.tv_sec > stamp->st_mtim.tv_sec :
							       file->st_mtim.tv_nsec > stamp->st_mtim.tv_nsec;
}

static bool is_fresh(const char *root, const char *stamp_name, const char *const *list, size_t count)
{
	char **paths = calloc(count + 1, sizeof(*paths));
	struct stat stamp;
	bool newer = false;
	FTS *files;

	if (!paths || stat(joined("%s/build/stamp/%s", root, stamp_name), &stamp)) {
		free(paths);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		paths[i] = joined("%s/%s", root, list[i]);
	files = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, NULL);
	for (FTSENT *entry; files && !newer && (entry = fts_read(files));)
		newer = entry->fts_info == FTS_DP ? false :
						    entry->fts_info == FTS_NS || is_newer(entry->fts_statp, &stamp);
	if (files)
		fts_close(files);
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(paths);
	return files && !newer;
}

bool fresh(const char *root)
{
	return is_fresh(root, "run", sources, sizeof(sources) / sizeof(*sources));
}

bool fresh_java(const char *root)
{
	return is_fresh(root, "pager", java_sources, sizeof(java_sources) / sizeof(*java_sources));
}
