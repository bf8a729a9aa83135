/* SPDX-License-Identifier: Apache-2.0 */
/* upa/api.h - how a symbol becomes visible outside libupa.so, which hides everything else. */
#ifndef UPA_API_H
#define UPA_API_H

#define UPA_API __attribute__((visibility("default")))

#endif
