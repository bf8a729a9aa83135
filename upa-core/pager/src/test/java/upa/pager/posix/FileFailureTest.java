package upa.pager.posix;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import org.junit.jupiter.api.Test;

class FileFailureTest {
    @Test
    void theReasonIsInWordsAndNamesNoFile() {
        assertEquals("there is no such file", FileFailure.reason(new NoSuchFileException("/x")));
        assertEquals("permission denied", FileFailure.reason(new AccessDeniedException("/x")));
        assertEquals("it exists", FileFailure.reason(new FileAlreadyExistsException("/x")));
        assertEquals("No space left", FileFailure.reason(new FileSystemException("/x", null, "No space left")));
        assertEquals("Is a directory", FileFailure.reason(new IOException("Is a directory")));
        assertEquals("java.io.IOException", FileFailure.reason(new IOException()));
    }
}
