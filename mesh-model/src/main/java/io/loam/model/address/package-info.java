/// Where something is: addresses with their network, CIDR blocks, and references to gateways. Start at
/// {@link io.loam.model.address.NetworkAddress}.
@NullMarked
package io.loam.model.address;

import org.jspecify.annotations.NullMarked;
