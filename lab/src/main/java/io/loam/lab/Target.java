package io.loam.lab;

import java.net.InetSocketAddress;

/// What somebody means by a destination.
///
/// @param asked as it was written
/// @param how how the address was found, in words
/// @param address where a program in the pod would connect to
record Target(String asked, String how, InetSocketAddress address) {}
