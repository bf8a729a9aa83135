/**
 * Stores of pages that are not in memory: compressed memory, a file, Redis or Valkey, zram. One interface,
 * {@link upa.pager.store.Store}, asynchronous and in batches; {@link upa.pager.store.StoreSpec} reads which ones are
 * wanted.
 *
 * <p>A store keeps no list of what it holds. Who writes a page gets a slot and keeps it, with a checksum; after a
 * restart {@link upa.pager.store.Store#adopt} tells the store which slots are in use.
 */
package upa.pager.store;
