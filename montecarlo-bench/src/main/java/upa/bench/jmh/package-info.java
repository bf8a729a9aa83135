/**
 * JMH benchmarks of the Java API: one question per class, with a base line beside it. {@code upa bench --jmh} runs
 * them, in JVMs of their own.
 */
package upa.bench.jmh;
