/// The DNS proxy: it listens on port 15053 of each pod, answers the names of the mesh and passes all other
/// queries on to whom the program asked. Start at {@link io.loam.agent.dns.PodDns}.
@NullMarked
package io.loam.agent.dns;

import org.jspecify.annotations.NullMarked;
