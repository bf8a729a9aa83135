package upa.pager.host;

import upa.policy.PageColumn;

/** A column of 1, 2 or 4 bytes a page, in chunks of a block that are made when a number other than 0 is set. */
final class Column implements PageColumn {
    private static final int CHUNK_SHIFT = 9;
    private static final int CHUNK_MASK = (1 << CHUNK_SHIFT) - 1;

    private final int pages;
    private final int bytes;
    private final byte[][] chunks;

    Column(int pages, int bytes) {
        if (bytes != 1 && bytes != 2 && bytes != 4) {
            throw new IllegalArgumentException("a column has 1, 2 or 4 bytes a page, got bytes=" + bytes);
        }
        this.pages = pages;
        this.bytes = bytes;
        chunks = new byte[(pages + CHUNK_MASK) >>> CHUNK_SHIFT][];
    }

    @Override
    public int get(int page) {
        if (page < 0 || page >= pages) {
            return 0;
        }
        byte[] chunk = chunks[page >>> CHUNK_SHIFT];
        if (chunk == null) {
            return 0;
        }
        int at = (page & CHUNK_MASK) * bytes;
        return switch (bytes) {
            case 1 -> chunk[at] & 0xff;
            case 2 -> chunk[at] & 0xff | (chunk[at + 1] & 0xff) << 8;
            default ->
                chunk[at] & 0xff | (chunk[at + 1] & 0xff) << 8 | (chunk[at + 2] & 0xff) << 16 | chunk[at + 3] << 24;
        };
    }

    @Override
    public void set(int page, int value) {
        if (page < 0 || page >= pages) {
            return;
        }
        byte[] chunk = chunks[page >>> CHUNK_SHIFT];
        if (chunk == null) {
            if (value == 0) {
                return;
            }
            chunk = new byte[(CHUNK_MASK + 1) * bytes];
            chunks[page >>> CHUNK_SHIFT] = chunk;
        }
        int at = (page & CHUNK_MASK) * bytes;
        for (int i = 0; i < bytes; i++) {
            chunk[at + i] = (byte) (value >>> 8 * i);
        }
    }
}
