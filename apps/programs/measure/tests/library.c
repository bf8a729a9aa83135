/* SPDX-License-Identifier: Apache-2.0 */
/* library.c - a library to preload that does nothing. */
int upa_measure_test_library(void);

int upa_measure_test_library(void)
{
	return 0;
}
