/// The cluster's name server: {@link io.loam.lab.dns.ClusterDns} answers from an immutable {@link
/// io.loam.lab.dns.DnsView}.
@NullMarked
package io.loam.lab.dns;

import org.jspecify.annotations.NullMarked;
