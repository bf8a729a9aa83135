/**
 * Runs policies on recorded page accesses, beside Belady's bound. The classes of policies are those that run live; the
 * pages are simulated, and time is counted, not measured.
 */
package upa.pager.simulate;
