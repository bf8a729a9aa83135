/* SPDX-License-Identifier: Apache-2.0 */
#include "upa/version.h"

const char *upa_version(void)
{
	return UPA_VERSION;
}
