/**
 * The one catalogue of allocators, with the settings they are measured in; {@code upa bench} and {@code upa apps} share
 * it.
 */
package upa.measure.allocator;
