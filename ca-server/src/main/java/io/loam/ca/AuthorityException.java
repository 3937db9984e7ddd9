package io.loam.ca;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// The stored certificates and keys cannot be used to issue. The message names the file, what is in it, and what
/// was expected.
public final class AuthorityException extends Exception {
    private final Path file;
    private final String detail;

    AuthorityException(Path file, String detail) {
        this(file, detail, null);
    }

    AuthorityException(Path file, String detail, @Nullable Throwable cause) {
        super(file + ": " + detail, cause);
        this.file = file;
        this.detail = detail;
    }

    /// Which file, or the directory where it is none of them in particular.
    public Path file() {
        return file;
    }

    /// The message without the file.
    public String detail() {
        return detail;
    }
}
