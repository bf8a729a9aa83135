/**
 * {@code upa apps}: what user-mode page allocation does for real programs, against the allocators people would
 * otherwise pick.
 */
package upa.apps;
