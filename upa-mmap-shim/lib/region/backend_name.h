/* SPDX-License-Identifier: Apache-2.0 */
/* backend.h - back ends by name, for the environment variable UPA_BACKEND, and what is said when one cannot be had. */
#ifndef UPA_BACKEND_H
#define UPA_BACKEND_H

/* UPA_BACKEND_* of linear, pte or pte-raw; negative if it is none of these. */
int upa_backend_parse(const char *name);

/* One line on standard error: the kernel serves, and why. */
void upa_backend_refused(unsigned backend, int error);

#endif
