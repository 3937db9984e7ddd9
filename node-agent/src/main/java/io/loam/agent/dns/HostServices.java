package io.loam.agent.dns;

import io.loam.agent.connections.ConnectionLimits;
import io.loam.runtime.config.DnsConfig;
import java.util.random.RandomGenerator;

/// What the lookups of all pods share.
///
/// @param config its resolvers and its timeout count, whether DNS is captured or not
/// @param limits each query that is under way takes a socket
/// @param random for the identifiers of queries; thread-safe, and not to be foreseen by who forges answers
public record HostServices(DnsConfig config, ConnectionLimits limits, HostMetrics metrics, RandomGenerator random) {}
