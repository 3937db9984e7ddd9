/// HBONE: application connections as CONNECT streams of an HTTP/2 connection in mutual TLS. Start at
/// {@link io.loam.protocol.hbone.TunnelStream}.
@NullMarked
package io.loam.protocol.hbone;

import org.jspecify.annotations.NullMarked;
