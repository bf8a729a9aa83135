/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.h - limits on addresses and on memory that is promised. Addresses that UPA has mapped and the program does not
 * use count to the kernel like others: when the kernel refuses for that reason, UPA gives them up.
 *
 * The limits that a program has from the start, or sets itself, are noticed at once (stand_aside.h); here it is those
 * that come from outside: prlimit --pid, a service manager, vm.overcommit_memory.
 */
#ifndef UPA_LIMITS_H
#define UPA_LIMITS_H

#include <stdbool.h>

/*
 * To be asked when the kernel has refused a call for want of memory (ENOMEM). True if UPA had addresses then that may
 * be why: it has none any more, by this thread's doing or another's, and the call is worth repeating, once. errno is
 * unchanged. For any thread and signal handler.
 */
bool limits_make_way(void);

#endif
