/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h - where statistics go, and the file in which processes of which there is little to say are counted. */
#ifndef UPA_RUN_STATS_H
#define UPA_RUN_STATS_H

/*
 * The value of UPA_STATS for --stats=TARGET: json, json:FILE, or FILE, which is emptied; or for --stats, where it is
 * NULL. Ends with a line if the file cannot be written.
 */
char *stats_target(const char *target);

/*
 * Makes the file for UPA_STATS_REST, which the program removes when it ends; removes those of programs that could not.
 * NULL if there is no place for one: then every process speaks for itself.
 */
char *stats_rest(void);

#endif
