/** The C driver of the benchmark, seen from Java: contestants, experiments, jobs, and what a run prints. */
package upa.bench.driver;
