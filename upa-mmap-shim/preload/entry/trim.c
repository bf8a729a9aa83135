/* SPDX-License-Identifier: Apache-2.0 */
/* malloc_trim() and mallopt(): what a program says of free memory holds for what is kept here, too. */
#define _GNU_SOURCE
#include "entry/entry.h"
#include "entry/next.h"
#include "upkeep/retention.h"

/* 1: something has been given back. */
EXPORT int malloc_trim(size_t pad)
{
	int result;

	next_need();
	result = next.malloc_trim ? next.malloc_trim(pad) : 0;
	return retention_trim() ? 1 : result;
}

/* 1: done; 0: the value makes no sense. Negative, the threshold is more than there is. */
EXPORT int mallopt(int parameter, int value)
{
	int result;

	next_need();
	result = next.mallopt ? next.mallopt(parameter, value) : 0;
	if (result && parameter == M_TRIM_THRESHOLD)
		retention_set_trim(value);
	return result;
}
