package io.loam.protocol.xds;

/// A resource that cannot be used as it came. It is left out alone: the other resources of a response are
/// applied, and the answer to the control plane carries this message.
public final class InvalidResourceException extends RuntimeException {
    private final String resource;
    private final String field;

    /// @param resource its name on the wire
    /// @param field path inside the resource, for example `services[shop/cart].ports[0].target_port`
    InvalidResourceException(String resource, String field, String value, String expected) {
        super(resource + ": " + field + ": " + value + " (expected: " + expected + ")");
        this.resource = resource;
        this.field = field;
    }

    public String resource() {
        return resource;
    }

    public String field() {
        return field;
    }
}
