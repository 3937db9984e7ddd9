package io.loam.config;

import java.nio.file.Path;
import java.util.List;

/// Reads what users write. Blocking; from any thread, one reader may serve several.
public final class ConfigReader {
    /// @param filesOrDirs directories are searched, with all below them, for `*.yaml`, `*.yml` and `*.json`
    public ReadResult read(List<Path> filesOrDirs) {
        return ReadResult.EMPTY;
    }

    /// @param name stands for the file in positions
    public ReadResult readText(String yaml, Path name) {
        return ReadResult.EMPTY;
    }
}
