package io.loam.runtime.xds;

/// A mesh on disk is not to be used, and this is why.
final class UnusableMeshException extends Exception {
    UnusableMeshException(String reason) {
        super(reason);
    }
}
