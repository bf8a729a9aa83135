/** Statistics of measurements: latency distributions, ratios with bootstrap intervals, slopes. */
package upa.measure.stats;
