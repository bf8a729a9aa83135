/** Runs programs: makes them ready, starts them by way of {@code upa-measure}, repeats them in rounds. */
package upa.apps.run;
