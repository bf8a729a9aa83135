/* SPDX-License-Identifier: Apache-2.0 */
/*
 * course.h - how much memory was held over time: at most COURSE_POINTS looks, evenly thinned out when there are more,
 * and the mean over time of all of them.
 */
#ifndef UPA_COURSE_H
#define UPA_COURSE_H

#include <stddef.h>
#include <stdint.h>

#define COURSE_POINTS 256

struct course {
	struct {
		uint64_t ns;
		uint64_t bytes;
	} point[COURSE_POINTS];
	size_t points;
	uint64_t looks;
	uint64_t every; /* one look in so many is a point; a power of two, 0 before the first look */
	uint64_t last_ns;
	uint64_t last_bytes;
	double byte_ns; /* bytes times the nanoseconds they were held */
};

/* A look at `ns` after the start, not before the look before: so many bytes are held from now on. */
void course_add(struct course *course, uint64_t ns, uint64_t bytes);

/* Mean from the first look to the end, which is not before the last look; 0 without a look, or without time between. */
uint64_t course_mean(const struct course *course, uint64_t end_ns);

#endif
