package upa.internal.region.linear;

import static upa.core.RegionDescriptor.*;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import upa.internal.bindings.Libc;
import upa.internal.os.Errno;
import upa.internal.os.FileCalls;

/** The file of a shared region: opened, sized, and its header checked, of which nothing is trusted. */
final class RegionFile implements AutoCloseable {
    private static final int OWNER_ONLY = 0600;

    final int fd;
    private final Path path;

    private RegionFile(Path path, int flags) throws IOException {
        this.path = path;
        int how = Libc.O_RDWR() | Libc.O_CLOEXEC() | flags;
        long result = FileCalls.open(path.toAbsolutePath().toString(), how, OWNER_ONLY);
        if (result < 0) {
            throw refused(path.toString(), result);
        }
        fd = (int) result;
    }

    static RegionFile create(Path path) throws IOException {
        return new RegionFile(path, Libc.O_CREAT() | Libc.O_EXCL());
    }

    static RegionFile open(Path path) throws IOException {
        return new RegionFile(path, 0);
    }

    private static FileSystemException refused(String path, long result) {
        if (result == -Libc.ENOENT()) {
            return new NoSuchFileException(path);
        } else if (result == -Libc.EEXIST()) {
            return new FileAlreadyExistsException(path);
        } else if (result == -Libc.EACCES()) {
            return new AccessDeniedException(path);
        }
        return new FileSystemException(path, null, "open failed: errno=" + Errno.name(result));
    }

    void resize(long bytes) throws IOException {
        long result = FileCalls.ftruncate(fd, bytes);
        if (result < 0) {
            throw new FileSystemException(
                    path.toString(), null, "ftruncate failed: file_bytes=" + bytes + " errno=" + Errno.name(result));
        }
    }

    /** IllegalArgumentException says what is wrong with the header. */
    Layout readLayout() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment header = arena.allocate(HEADER_BYTES, Long.BYTES);
            long read = FileCalls.pread(fd, header, 0);
            long fileBytes = FileCalls.fileBytes(fd);
            if (read < 0) {
                throw new IllegalArgumentException("pread failed: errno=" + Errno.name(read));
            }
            long magic = header.get(ValueLayout.JAVA_LONG, MAGIC_OFFSET);
            if (magic != MAGIC) {
                throw new IllegalArgumentException(
                        String.format("not a region: magic=%#x expected=%#x file_bytes=%d", magic, MAGIC, fileBytes));
            }
            if (read < HEADER_BYTES) {
                throw new IllegalArgumentException(
                        "truncated: file_bytes=" + fileBytes + " header_bytes=" + HEADER_BYTES);
            }
            int abi = header.get(ValueLayout.JAVA_INT, ABI_OFFSET);
            if (abi != ABI) {
                throw new IllegalArgumentException("another version: abi=" + abi + " expected=" + ABI);
            }
            Layout found = Layout.read(header);
            if (!Layout.isPossible(found.dataBytes(), found.slots())) {
                throw new IllegalArgumentException(
                        "contradictory: data_bytes=" + found.dataBytes() + " slots=" + found.slots());
            }
            Layout expected = Layout.of(found.dataBytes(), found.slots(), true);
            Layout.expect("data_bytes", expected.dataBytes(), found.dataBytes());
            Layout.expect("state_offset", expected.stateOffset(), found.stateOffset());
            Layout.expect("state_bytes", expected.stateBytes(), found.stateBytes());
            Layout.expect("data_offset", expected.dataOffset(), found.dataOffset());
            Layout.expect("file_bytes", expected.fileBytes(), found.fileBytes());
            if (fileBytes < found.fileBytes()) {
                throw new IllegalArgumentException(
                        "truncated: file_bytes=" + fileBytes + " expected=" + found.fileBytes());
            }
            return found;
        }
    }

    @Override
    public void close() {
        FileCalls.close(fd);
    }
}
