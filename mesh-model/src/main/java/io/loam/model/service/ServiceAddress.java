package io.loam.model.service;

import io.loam.model.address.CidrBlock;

/// A virtual address of a service: one host, or a block for a service that stands for a range.
///
/// @param network name of the network the address is valid in; "" is the default network
public record ServiceAddress(String network, CidrBlock block) {}
