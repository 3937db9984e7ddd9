/// What is sent through the proxies, and what of it arrives: iperf3, and a client of our own for fixed rates. Start at
/// [io.loam.lab.bench.load.LoadProcess].
@NullMarked
package io.loam.lab.bench.load;

import org.jspecify.annotations.NullMarked;
