package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class WorkersTest {
    private final Workers workers = new Workers("test", 1, 1);
    private final PageIo io = new PageIo(Arena.ofAuto(), 2);

    /** A device that fails has not dealt with what has no result; no memory is not its fault. */
    @Test
    void whatFailsIsUnreachableButNoMemoryIsSaid() {
        io.begin(2);
        workers.read(io, pages -> {
                    pages.result(0, PageIo.Result.OK);
                    throw new IllegalStateException("a device");
                })
                .join();
        assertEquals(PageIo.Result.OK, io.result(0));
        assertEquals(PageIo.Result.UNREACHABLE, io.result(1));
        OutOfMemoryError none = new OutOfMemoryError("none");
        CompletionException e = assertThrows(CompletionException.class, workers.write(io, pages -> {
            throw none;
        })::join);
        assertSame(none, e.getCause());
    }
}
