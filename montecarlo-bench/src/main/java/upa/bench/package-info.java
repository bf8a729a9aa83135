/**
 * The Monte-Carlo measurement of page allocation: {@link upa.bench.Main} runs the C driver against every contestant
 * in random order, round after round, and reports what was seen.
 */
package upa.bench;
