/* SPDX-License-Identifier: Apache-2.0 */
/* units.h - sizes by their names, in bytes: what the test programs count in. */
#ifndef UPA_TESTS_UNITS_H
#define UPA_TESTS_UNITS_H

#define KIB 1024ul
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define PAGE (4 * KIB)

#endif
