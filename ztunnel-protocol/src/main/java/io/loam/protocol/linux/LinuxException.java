package io.loam.protocol.linux;

import java.io.IOException;

/// A system call that failed, with the number and text of its error.
public final class LinuxException extends IOException {
    private final int errno;

    LinuxException(String call, int errno, String text) {
        super(call + ": " + text + " (errno " + errno + ")");
        this.errno = errno;
    }

    /// As in errno(3): 2 is ENOENT, 13 is EACCES, …
    public int errno() {
        return errno;
    }
}
