package io.loam.lab.node;

/// What the admin endpoint of an agent says.
///
/// @param status of HTTP
public record AgentAnswer(int status, String body) {}
