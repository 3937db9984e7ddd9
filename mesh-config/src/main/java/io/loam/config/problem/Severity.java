package io.loam.config.problem;

/// How much of what was written is lost.
public enum Severity {
    /// The document, or the object it describes, is not used (its last good version is, if there is one).
    ERROR,
    /// The document is used, but not all of it as written.
    WARNING,
    /// Written as meant, but without effect in processes that Loam starts itself.
    NOTE
}
