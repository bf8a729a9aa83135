/** The report of {@code upa vm bench}, a class per section. */
package upa.counts.report;
