package io.loam.model.explain;

import io.loam.model.mesh.MeshDelta;
import java.net.InetSocketAddress;

/// One thing that somebody could change.
///
/// @param text an order, for people
/// @param delta what it does to the mesh
/// @param destination where the application connects to afterwards
/// @param edits how many values it touches
record Change(String text, MeshDelta delta, InetSocketAddress destination, int edits) {}
