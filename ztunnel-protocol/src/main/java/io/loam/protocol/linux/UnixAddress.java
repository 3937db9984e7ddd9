package io.loam.protocol.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// struct sockaddr_un.
final class UnixAddress {
    private static final int PATH_OFFSET = 2;
    /// sun_path holds 108 bytes with the terminating NUL (unix(7)).
    private static final int MAX_PATH_BYTES = 107;

    private UnixAddress() {}

    static MemorySegment of(Path path, Arena arena) throws IOException {
        var bytes = path.toString().getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_PATH_BYTES) {
            throw new IOException("socket path " + path + ": " + bytes.length + " bytes (expected: <= " + MAX_PATH_BYTES
                    + ", the kernel's limit)");
        }
        var address = arena.allocate(PATH_OFFSET + bytes.length + 1L, 2);
        address.set(JAVA_SHORT, 0, (short) Libc.AF_UNIX);
        MemorySegment.copy(bytes, 0, address, JAVA_BYTE, PATH_OFFSET, bytes.length);
        return address;
    }
}
