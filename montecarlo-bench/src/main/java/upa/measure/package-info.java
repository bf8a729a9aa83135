/**
 * What every measurement of this project shares, whatever it measures: command line ({@link upa.measure.CommandLines}),
 * progress, Ctrl-C, the machine and the conditions of a run, host-warm memory, figures to reach, and the folder of
 * results. Packages below: {@code stats}, {@code report}, and {@code allocator}, the one catalogue of allocators.
 */
package upa.measure;
