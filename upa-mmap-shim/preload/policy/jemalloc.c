/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What jemalloc is told when it is loaded beside us: to unmap what it frees, which it does not do on Linux by itself.
 * It keeps the addresses ("retain") and gives the memory back by madvise(), since holes in the kernel's mappings are
 * dear. In the region they cost nothing, and memory unmapped can be handed out again at once, for any address, while
 * memory purged is of use only to who comes back to the same address without a word (purge.h).
 *
 * And to take a free extent of any size for a small one ("lg_extent_max_active_fit"), where it spares those of 64 times
 * the size. On Linux alone such extents grow to 8 MiB, and then it purges them. Here they end where a child of 2 MiB
 * does, so it would neither purge nor use them: blocks of 5 000 bytes, freed and allocated again, took 2.1 times the
 * memory.
 *
 * jemalloc looks for this variable (version 5.1 on) by its own name, before it reads /etc/malloc.conf and
 * MALLOC_CONF, which have the last word. A program that exports one of its own is found first. It is needed before
 * any constructor runs, so also where the region is not used in the end.
 */
__attribute__((visibility("default"))) const char *malloc_conf = "retain:false,lg_extent_max_active_fit:20";
