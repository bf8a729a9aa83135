/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_clients.h - whom memory on /dev/upa is for (UPA_BACKEND=pte, pte-raw).
 *
 * The module's mapping cannot be changed in part: no protection, no MAP_FIXED. Who asks for memory and will never
 * want that of it is malloc. So requests of the library that malloc is in, and of libc, are served from the device,
 * and all others are the kernel's; a program that maps memory itself finds it as the kernel has it.
 */
#ifndef UPA_DEVICE_CLIENTS_H
#define UPA_DEVICE_CLIENTS_H

#include <stdbool.h>

/* Looks for the libraries. For a process with one thread. */
void device_start(void);

/* Is this address of code in one of them? */
bool device_serves(const void *code);

#endif
