/** Traces of page requests that {@code upa run --trace} has recorded: reading them, and what they say of a program. */
package upa.tools.trace;
