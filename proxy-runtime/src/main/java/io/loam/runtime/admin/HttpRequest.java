package io.loam.runtime.admin;

import java.util.List;
import java.util.Map;

/// A request as far as an admin endpoint looks at it.
///
/// @param accept value of the `accept` header, "" without one
public record HttpRequest(String method, Map<String, List<String>> query, String accept) {}
