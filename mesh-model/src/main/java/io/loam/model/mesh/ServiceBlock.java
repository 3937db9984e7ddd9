package io.loam.model.mesh;

import io.loam.model.address.MaskedBlock;
import io.loam.model.service.Service;

/// A service that stands for a range of addresses. Few services do, so blocks are kept in a list.
record ServiceBlock(String network, MaskedBlock block, int prefixLength, Service service) {}
