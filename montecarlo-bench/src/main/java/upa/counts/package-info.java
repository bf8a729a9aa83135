/**
 * {@code upa vm bench}: what a page costs in instructions, counted in a virtual machine. The programs that count are C,
 * in folder counts of this module; {@code data} reads what they print, {@code report} shows it.
 */
package upa.counts;
