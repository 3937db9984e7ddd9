package io.loam.runtime.config;

/// A setting that does not fit. The message names the key, its value and what was expected; several problems stand on
/// lines of their own.
public final class ConfigException extends RuntimeException {
    public ConfigException(String message) {
        super(message);
    }
}
