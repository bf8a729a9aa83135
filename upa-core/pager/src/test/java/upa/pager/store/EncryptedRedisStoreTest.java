package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;

/** The same contract with pages that are encrypted. */
class EncryptedRedisStoreTest extends RedisStoreTest {
    @Override
    String url(String options) {
        try {
            Path file = Files.writeString(folder.resolve("key"), "00112233445566778899aabbccddeeff\n");
            return super.url(options) + "&key-file=" + file;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void nothingOfAPageCanBeRead() throws Exception {
        Store store = open(10);
        long kept = writeOne(store, 77);
        try (Jedis jedis = client()) {
            byte[] value = jedis.get(key(store, (int) (kept >>> 32)));
            assertEquals(4096 + 28, value.length);
            try (var arena = Arena.ofConfined()) {
                var page = arena.allocate(4096, 8);
                fill(page, 77);
                String text = new String(value, StandardCharsets.ISO_8859_1);
                for (int i = 0; i < 4096; i += 16) {
                    byte[] piece = page.asSlice(i, 8).toArray(ValueLayout.JAVA_BYTE);
                    assertFalse(text.contains(new String(piece, StandardCharsets.ISO_8859_1)), "i=" + i);
                }
            }
        }
    }

    @Test
    void samePagesLookDifferentAndCannotBeExchanged() throws Exception {
        Store store = open(10);
        long a = writeOne(store, 5);
        long b = writeOne(store, 5);
        try (Jedis jedis = client()) {
            byte[] first = jedis.get(key(store, (int) (a >>> 32)));
            assertNotEquals(ByteBuffer.wrap(first), ByteBuffer.wrap(jedis.get(key(store, (int) (b >>> 32)))));
            jedis.set(key(store, (int) (b >>> 32)), first);
        }
        assertEquals(PageIo.Result.DAMAGED, read(store, b).result(0));
        assertEquals(PageIo.Result.OK, read(store, a).result(0));
    }
}
