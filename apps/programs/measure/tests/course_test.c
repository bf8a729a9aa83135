/* SPDX-License-Identifier: Apache-2.0 */
/* course_test.c - memory over time: means, and looks that are thinned out evenly. */
#include "course.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

static void check_means(void)
{
	struct course course = { 0 };

	CHECK(course_mean(&course, 0) == 0 && course_mean(&course, 100) == 0);
	course_add(&course, 100, 8);
	CHECK(course_mean(&course, 100) == 0);
	CHECK(course_mean(&course, 200) == 8);
	course_add(&course, 300, 2);
	course_add(&course, 600, 100);
	CHECK(course_mean(&course, 600) == (200 * 8 + 300 * 2) / 500);
	CHECK(course_mean(&course, 1100) == (200 * 8 + 300 * 2 + 500 * 100) / 1000);
	CHECK(course.points == 3 && course.point[1].ns == 300 && course.point[1].bytes == 2);
}

static void check_thinning(uint64_t looks, size_t points, uint64_t every)
{
	struct course course = { 0 };

	for (uint64_t i = 0; i < looks; i++)
		course_add(&course, 10 * i, i);
	CHECK(course.looks == looks && course.points == points && course.every == every);
	for (size_t i = 0; i < points; i++)
		CHECK(course.point[i].bytes == i * every && course.point[i].ns == 10 * i * every);
	CHECK(course_mean(&course, 10 * looks) == (looks - 1) / 2);
}

int main(void)
{
	check_means();
	check_thinning(COURSE_POINTS, COURSE_POINTS, 1);
	check_thinning(COURSE_POINTS + 1, COURSE_POINTS / 2 + 1, 2);
	check_thinning(2 * COURSE_POINTS, COURSE_POINTS, 2);
	check_thinning(2 * COURSE_POINTS + 1, COURSE_POINTS / 2 + 1, 4);
	check_thinning(101 * COURSE_POINTS, 202, 128);
	return 0;
}
