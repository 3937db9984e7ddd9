package io.loam.runtime.config;

/// @param level threshold of the program's log (`RUST_LOG`, of which only a bare level is understood). Default
///     `info`
/// @param format of program and access log (`LOG_FORMAT`). Default plain
public record LogConfig(String level, Format format) {
    public enum Format {
        PLAIN,
        JSON
    }
}
