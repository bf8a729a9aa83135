/** Runs of programs, what they say together, and the figures to reach held against them. */
package upa.apps.results;
