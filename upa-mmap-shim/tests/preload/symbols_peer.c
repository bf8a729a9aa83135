/* SPDX-License-Identifier: Apache-2.0 */
/* A library for symbols_test.c to look into. */
#include <stdlib.h>

int symbols_peer_data = 1;
_Thread_local int symbols_peer_thread;
int symbols_peer_first(void);
int symbols_peer_old(void);
int symbols_peer_new(void);

int symbols_peer_first(void)
{
	if (!symbols_peer_data)
		abort();
	return symbols_peer_thread;
}

int symbols_peer_old(void)
{
	return 1;
}
int symbols_peer_new(void)
{
	return 2;
}

__asm__(".symver symbols_peer_old,symbols_peer@FIRST_1.0");
__asm__(".symver symbols_peer_new,symbols_peer@@SECOND_2.0");
