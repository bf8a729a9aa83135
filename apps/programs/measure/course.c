/* SPDX-License-Identifier: Apache-2.0 */
/* course.c - see course.h. */
#include "course.h"

void course_add(struct course *course, uint64_t ns, uint64_t bytes)
{
	if (course->looks)
		course->byte_ns += (double)course->last_bytes * (double)(ns - course->last_ns);
	else
		course->every = 1;
	course->last_ns = ns;
	course->last_bytes = bytes;
	if (course->looks++ % course->every)
		return;
	if (course->points == COURSE_POINTS) {
		for (size_t i = 0; i < COURSE_POINTS / 2; i++)
			course->point[i] = course->point[2 * i];
		course->points = COURSE_POINTS / 2;
		course->every *= 2;
	}
	course->point[course->points].ns = ns;
	course->point[course->points++].bytes = bytes;
}

uint64_t course_mean(const struct course *course, uint64_t end_ns)
{
	uint64_t start_ns = course->points ? course->point[0].ns : end_ns;

	if (end_ns <= start_ns)
		return 0;
	return (uint64_t)((course->byte_ns + (double)course->last_bytes * (double)(end_ns - course->last_ns)) /
			  (double)(end_ns - start_ns));
}
