/* SPDX-License-Identifier: Apache-2.0 */
/* own_folder.h - where this program lies: what belongs to it is found from there. */
#ifndef UPA_RUN_OWN_FOLDER_H
#define UPA_RUN_OWN_FOLDER_H

/* Without a slash at its end; ends with a line if it cannot be found. */
char *own_folder(void);

#endif
