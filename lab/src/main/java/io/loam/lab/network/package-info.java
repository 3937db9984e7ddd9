/// Nodes and pods as network namespaces of this machine, routed to each other. Start at
/// [io.loam.lab.network.LabNetwork].
///
/// ```
///   namespace loam-LAB-fabric                          namespace loam-LAB-node.NODE        loam-LAB-pod.NS.POD
///   control plane, CA, DNS; "outside"                  agent, kube-proxy's rules           the containers
///   br0 172.20.0.1, fd00:20::1  ── n<i> ═══ eth0 172.20.0.(10+i), fd00:20::(10+i)
///                                               pod<uid> 169.254.1.1, fe80::1 ═══ eth0 10.244.<i>.x, fd00:244:<i>::x
/// ```
/// Everything of a lab lies in its own namespaces, so labs cannot meet, and a deleted namespace takes its links, routes
/// and rules with it.
@NullMarked
package io.loam.lab.network;

import org.jspecify.annotations.NullMarked;
