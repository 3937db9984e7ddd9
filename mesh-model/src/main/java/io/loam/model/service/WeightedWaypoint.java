package io.loam.model.service;

import io.loam.model.address.GatewayAddress;

/// One of several waypoints that share a service's connections.
///
/// @param weight share of new connections, relative to the others; 0 gets none
public record WeightedWaypoint(GatewayAddress waypoint, int weight) {}
