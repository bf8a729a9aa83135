package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import upa.pager.store.StoreSpec;
import upa.policy.Place;

class RunRequestTest {
    private static String text(String... fields) {
        return RunRequest.FIRST + String.join("\0", fields) + "\0";
    }

    private static String refusal(int status, String... fields) {
        RunRequest.RefusedException e =
                assertThrows(RunRequest.RefusedException.class, () -> RunRequest.parse(text(fields)));
        assertEquals(status, e.status());
        return e.getMessage();
    }

    @Test
    void saysWhatARunMayHave() throws Exception {
        RunRequest r = RunRequest.parse(text("17", "s3-fifo", "16M", "lz4:64M,file:pages:1G", "/home/of one", ""));
        assertEquals(17, r.pid());
        assertEquals("s3-fifo", r.policy().text());
        assertEquals(16 << 20, r.boundBytes());
        assertEquals("/home/of one/pages", r.stores().stores().get(1).where());
        assertNull(r.places());
        assertEquals(
                4L << 20,
                RunRequest.parse(text("1", "clock", "4M", "", "/", "")).boundBytes());
        assertEquals(
                1L << 40,
                RunRequest.parse(text("1", "clock", "1T", "", "/", "")).boundBytes());
        assertEquals(
                StoreSpec.parse(StoreSpec.DEFAULT),
                RunRequest.parse(text("1", "clock", "4M", "", "/", "")).stores());
    }

    @Test
    void thePlacesOfAPagerBeforeComeBack() throws Exception {
        List<Place> places = List.of(
                new Place(0, "lz4", Place.Kind.COMPRESSED),
                new Place(1, "file2", Place.Kind.FILE),
                new Place(2, "redis", Place.Kind.REMOTE));
        assertEquals(
                places,
                RunRequest.parse(text("1", "clock", "4M", "lz4", "/", RunRequest.text(places)))
                        .places());
        assertEquals(
                "a request that makes no sense: place=TAPE x", refusal(1, "1", "clock", "4M", "lz4", "/", "TAPE x"));
        assertEquals("a request that makes no sense: place=FILE", refusal(1, "1", "clock", "4M", "lz4", "/", "FILE"));
    }

    @Test
    void namesAreThoseInTheFolderOfTheRun() throws Exception {
        Path folder = Path.of("/a$1/b");
        assertEquals("file:/a$1/b/c:1G", RunRequest.inFolder("file:c:1G", folder));
        assertEquals("lz4:1M+file:/a$1/b/c", RunRequest.inFolder("lz4:1M+file:c", folder));
        assertEquals("lz4, file:/a$1/b/../c", RunRequest.inFolder("lz4, file:../c", folder));
        assertEquals("file:/c,lz4:1G", RunRequest.inFolder("file:/c,lz4:1G", folder));
        assertEquals("file:,file", RunRequest.inFolder("file:,file", folder));
        assertEquals(
                "redis://u:file:x@h?password-file=/a$1/b/p&key-file=/k&ttl=1h",
                RunRequest.inFolder("redis://u:file:x@h?password-file=p&key-file=/k&ttl=1h", folder));
        assertEquals(
                "/a$1/b/x.jar:P,k=v+clock+/y.jar:Q",
                RunRequest.parse(text("1", "x.jar:P,k=v+clock+/y.jar:Q", "4M", "", "/a$1/b", ""))
                        .policy()
                        .text());
    }

    @Test
    void saysWhatIsWrong() {
        String more = ": see ./upa policy --help";
        assertEquals(
                "policy: option --memory needs a size from 4M to 1T as 512M, got value=4095K" + more,
                refusal(2, "1", "clock", "4095K", "", "/", ""));
        assertEquals(
                "policy: option --memory needs a size from 4M to 1T as 512M, got value=1025G" + more,
                refusal(2, "1", "clock", "1025G", "", "/", ""));
        assertEquals("policy: no policy named: policy=" + more, refusal(2, "1", "", "4M", "", "/", ""));
        assertEquals(
                "policy: there is no store=tape; there are lz4[:SIZE], zstd[:SIZE], file:FOLDER[:SIZE],"
                        + " redis://HOST:PORT, zram, numa:NODE[:SIZE]" + more,
                refusal(2, "1", "clock", "4M", "tape", "/", ""));
        for (String pid : new String[] {"", "0", "-1", "x", "1234567890"}) {
            assertEquals("a request that makes no sense: fields=7", refusal(1, pid, "clock", "4M", "", "/", ""));
        }
        assertEquals("a request that makes no sense: fields=2", refusal(1, "1"));
    }
}
