/**
 * The Monte-Carlo measurement of page allocation: {@link upa.bench.Main} runs the C driver against every contestant in
 * random order, round after round, and reports what was seen. Packages below: {@code driver} (who and what is run, and
 * what comes out of it), {@code results} (what that says), {@code report} (how it is shown), {@code jmh}.
 */
package upa.bench;
