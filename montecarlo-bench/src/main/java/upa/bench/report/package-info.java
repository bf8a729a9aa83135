/** The report of {@code upa bench}, a class per section. */
package upa.bench.report;
