/** What the measurements say: ratios and slopes with their intervals, and the figures to reach held against them. */
package upa.bench.results;
