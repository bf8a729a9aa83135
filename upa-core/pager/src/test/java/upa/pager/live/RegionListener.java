package upa.pager.live;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import upa.pager.device.DeviceException;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

/** Where owners of regions connect in tests: a pager as {@link Pager} has one, but its caller has it in hand. */
final class RegionListener implements AutoCloseable {
    private final Path path;
    private final int fd;
    private final Consumer<String> log;

    RegionListener(Path path, Consumer<String> log) throws IOException {
        Files.deleteIfExists(path);
        this.path = path;
        this.log = log;
        fd = Linux.listen(path.toString());
        if (fd < 0) {
            throw new IOException("errno=" + -fd);
        }
    }

    Path path() {
        return path;
    }

    /** The pager of the next owner that connects. */
    DevicePager next() throws DeviceException {
        int socket = Linux.accept(fd);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = arena.allocate(Pager.MOST_REQUEST_BYTES, Long.BYTES);
            long n = Linux.receive(socket, request, new int[0]);
            String text = new String(request.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
            return RegionRun.start(socket, text, log);
        }
    }

    @Override
    public void close() {
        Posix.close(fd);
    }
}
