/* SPDX-License-Identifier: Apache-2.0 */
#include "region/backend.h"

#include <upa/pager.h>

static const struct region_backend *const backends[] = {
	[UPA_BACKEND_LINEAR] = &upa_linear,
	[UPA_BACKEND_PTE] = &upa_guarded,
	[UPA_BACKEND_PTE_RAW] = &upa_raw,
};

const struct region_backend *upa_choose_backend(const struct upa_region_options *options, bool shared)
{
	const struct region_backend *it;

	if (options->backend >= sizeof(backends) / sizeof(*backends))
		return NULL;
	it = backends[options->backend];
	if (it == &upa_linear)
		it = shared ? &upa_shared : options->flags & UPA_REGION_FENCED ? &upa_fenced : it;
	if (it == &upa_guarded && options->flags & UPA_REGION_PAGED)
		it = &upa_paged;
	return options->flags & ~it->flags ? NULL : it;
}
