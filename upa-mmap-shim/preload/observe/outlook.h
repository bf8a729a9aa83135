/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outlook.h - one line on standard error when UPA can serve a program nothing, or only part, for whoever started it
 * with `upa run`: in the process of which UPA_LAUNCHED has the id, once for each reason, and not in its children.
 */
#ifndef UPA_OUTLOOK_H
#define UPA_OUTLOOK_H

/* Strings that say why, to follow a colon. */
void outlook_nothing(const char *why);
void outlook_part(const char *why);

#endif
