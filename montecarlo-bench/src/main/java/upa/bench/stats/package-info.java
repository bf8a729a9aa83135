/** The statistics of the benchmarks: latency distributions, ratios with bootstrap intervals, slopes. */
package upa.bench.stats;
