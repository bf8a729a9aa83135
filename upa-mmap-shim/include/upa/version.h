/* SPDX-License-Identifier: Apache-2.0 */
/*
 * version.h - the version of UPA, at compile time and at run time. CMakeLists.txt of the project decides it; a test
 * holds this header, the Maven modules and the kernel module to it.
 */
#ifndef UPA_VERSION_H
#define UPA_VERSION_H

#include "upa/api.h"

#define UPA_VERSION_MAJOR 1
#define UPA_VERSION_MINOR 0
#define UPA_VERSION_PATCH 0
#define UPA_VERSION "1.0.0"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that is loaded, as UPA_VERSION was when it was compiled. Static text; any thread. */
UPA_API const char *upa_version(void);

#ifdef __cplusplus
}
#endif

#endif
