package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.HostAndPort;
import upa.pager.store.StoreSpec.Element;
import upa.pager.store.StoreSpec.Kind;

class StoreSpecTest {
    private static final String THERE_ARE =
            "there are lz4[:SIZE], zstd[:SIZE], file:FOLDER[:SIZE], redis://HOST:PORT, zram, numa:NODE[:SIZE]";

    @TempDir
    Path folder;

    @Test
    void readsAChain() throws Exception {
        assertEquals(
                List.of(
                        new Element("lz4", Kind.LZ4, "", 256 << 20),
                        new Element("zstd", Kind.ZSTD, "", 1 << 30),
                        new Element("file", Kind.FILE, "/var/tmp/a:b", 4L << 30),
                        new Element("file2", Kind.FILE, "/x", 4L << 30),
                        new Element("redis", Kind.REDIS, "redis://h:7", 0)),
                StoreSpec.parse("lz4:256M, zstd,file:/var/tmp/a:b:4G,file:/y/../x,redis://h:7")
                        .stores());
        assertEquals(2, StoreSpec.parse(StoreSpec.DEFAULT).stores().size());
        Element near = new Element("lz4", Kind.LZ4, "", 64 << 20);
        assertEquals(
                List.of(
                        new Element("lz4", Kind.LZ4, "", 1 << 20),
                        new Element("file", Kind.FILE, "/a+b", 4L << 30, near),
                        new Element("redis", Kind.REDIS, "redis://:p+q@h", 0)),
                StoreSpec.parse("lz4:1M,lz4:64M+file:/a+b,redis://:p+q@h").stores());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''|there is no store=; " + THERE_ARE,
                "lz5|there is no store=lz5; " + THERE_ARE,
                "lz4,|there is no store=; " + THERE_ARE,
                "lz4:x|store=lz4:x has size=x, needs one as 256M or 4G",
                "lz4:4K|store=lz4:4K needs a size from 1M to 16G",
                "zstd:17G|store=zstd:17G needs a size from 1M to 16G",
                "zram:1G|store=zram:1G: the size of zram is the machine's: write zram",
                "lz4,zram|store=zram goes with no other: what is there only the kernel can move",
                "lz4+zram|store=lz4+zram has memory behind memory: write through it to a file or redis",
                "lz4+zstd|store=lz4+zstd has memory behind memory: write through it to a file or redis",
                "lz4:64M+|there is no store=; " + THERE_ARE,
                "lz4:4K+file:/x|store=lz4:4K needs a size from 1M to 16G",
                "file|store=file needs a folder: file:FOLDER[:SIZE]",
                "file::4G|store=file::4G needs a folder: file:FOLDER[:SIZE]",
                "file:/x:4K|store=file:/x:4K needs a size from 1M to 1T",
                "redis://|not a store: url=redis:// needs redis://[USER:PASSWORD@]HOST[:PORT][/DB]",
                "redis://u:geheim@h:0|store url=redis://u:***@h:0 has host=h:0, needs HOST or HOST:PORT",
                "redis://h:99999|store url=redis://h:99999 has host=h:99999, needs HOST or HOST:PORT",
                "redis://a;b|store url=redis://a;b names several hosts, which only redis-cluster:// has",
                "redis://h?x=1|store url=redis://h?x=1 has no option=x=1; there are ca, key-file, limit, "
                        + "password-file, timeout, ttl",
                "redis://h?ttl|store url=redis://h?ttl has no option=ttl; there are ca, key-file, limit, "
                        + "password-file, timeout, ttl",
                "redis://h?ttl=5|store url=redis://h?ttl=5 option=ttl has value=5, needs a time from 1s to "
                        + "36000000s, as 100ms, 30s or 5m",
                "redis://h?key-file=/no|store url=redis://h?key-file=/no: cannot read file=/no: there is no such file",
                "file:/x:4X|store=file:/x:4X has size=4X, needs one as 256M or 4G",
                "file:/x:-1|store=file:/x:-1 has size=-1, needs one as 256M or 4G",
                "file:/x:99999999999999G|store=file:/x:99999999999999G has size=99999999999999G, needs one as 256M"
                        + " or 4G",
                "redis://h?ttl=5s&ttl=6s|store url=redis://h?ttl=5s&ttl=6s has twice option=ttl",
                "redis://h?ca=/c|store url=redis://h?ca=/c has option=ca, which only rediss:// has",
                "redis-cluster://h/3|store url=redis-cluster://h/3 names database=3: a cluster has only 0",
                "redis://us%zz@h|store url=redis://us%zz@h has a % in its user or password that is not %HH:"
                        + " write it as %25",
                "redis://:secret%@h|store url=redis://:***@h has a % in its user or password that is not %HH:"
                        + " write it as %25"
            })
    void saysWhatItCannotRead(String text, String message) {
        assertEquals(
                message,
                assertThrows(StoreException.class, () -> StoreSpec.parse(text)).getMessage());
    }

    @Test
    void aChainHasAnEnd() {
        String many = "lz4,".repeat(12) + "lz4";
        assertEquals(
                "too many stores: stores=13, the most is 12",
                assertThrows(StoreException.class, () -> StoreSpec.parse(many)).getMessage());
    }

    @Test
    void readsUrls() throws Exception {
        RedisOptions plain = RedisOptions.parse("redis://h");
        assertEquals(List.of(new HostAndPort("h", 6379)), plain.hosts());
        assertEquals(Duration.ofHours(168), plain.ttl());
        assertEquals(1L << 40, plain.limit());
        assertEquals(1000, plain.config().getSocketTimeoutMillis());
        assertTrue(!plain.cluster()
                && !plain.config().isSsl()
                && plain.key() == null
                && plain.config().getDatabase() == 0);
        Path password = Files.writeString(folder.resolve("p"), "from file\nmore\n");
        Path key = Files.writeString(folder.resolve("k"), "000102030405060708090a0b0c0d0e0f\n");
        RedisOptions full = RedisOptions.parse("rediss-cluster://us%40er@[::1]:7000;b.c:7001/0?limit=1G&timeout=250ms"
                + "&ttl=2h"
                + "&password-file=" + password + "&key-file=" + key);
        assertEquals(List.of(new HostAndPort("::1", 7000), new HostAndPort("b.c", 7001)), full.hosts());
        assertTrue(full.cluster() && full.config().isSsl());
        assertEquals("us@er", full.config().getUser());
        assertEquals("from file", full.config().getPassword());
        assertEquals(3, RedisOptions.parse("redis://h/3").config().getDatabase());
        assertEquals(250, full.config().getConnectionTimeoutMillis());
        assertEquals(1 << 30, full.limit());
        assertArrayEquals(new byte[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, full.key());
        assertEquals("p@ss", RedisOptions.parse("redis://:p%40ss@h").config().getPassword());
        assertEquals(
                "p+s s%", RedisOptions.parse("redis://:p+s%20s%25@h").config().getPassword(), "a plus sign is one");
        assertEquals(0, RedisOptions.parse("redis://h/?limit=1G").config().getDatabase());
    }

    /** Whatever is wrong with a URL, and wherever the password ends for us, none of it is shown. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "redis://u:geheim/wort@h",
                "redis://u:geheim?wort@h",
                "redis://u:geheim@wort@h",
                "redis://:geheim,wort@h",
                "redis://u:geheim%zz@h",
                "redis://u:geheim@h:0",
                "redis://u:geheim@h?x=1",
                "redis://u:geheim@h?ttl=1",
                "redis://u:geheim@h;i",
                "redis-cluster://u:geheim@h/1",
                "Redis://u:geheim@h",
                "redis:/u:geheim@h",
                "redis:u:geheim@h",
                "lz4+Redis://u:geheim@h"
            })
    void aPasswordIsNotShown(String text) {
        String message =
                assertThrows(StoreException.class, () -> StoreSpec.parse(text)).getMessage();
        assertFalse(message.contains("geheim"), message);
        assertFalse(message.contains("wort"), message);
    }

    @Test
    void aFileWithoutAPasswordIsRefused() throws Exception {
        for (String content : List.of("", "\n", "  \nsecret\n")) {
            Path file = Files.writeString(folder.resolve("p"), content);
            String url = "redis://h?password-file=" + file;
            assertEquals(
                    "store url=" + url + ": the first line of file=" + file + " is empty",
                    assertThrows(StoreException.class, () -> StoreSpec.parse(url))
                            .getMessage());
        }
    }

    @Test
    void keysAreChecked() throws Exception {
        Path key = Files.writeString(folder.resolve("k"), "0001\n");
        String url = "redis://h?key-file=" + key;
        assertEquals(
                "store url=" + url + ": file=" + key + " needs 32 or 64 hexadecimal digits",
                assertThrows(StoreException.class, () -> StoreSpec.parse(url)).getMessage());
    }
}
