/// Where proxies spend their CPU, as flame graphs. Start at [io.loam.lab.bench.profile.Profiler].
@NullMarked
package io.loam.lab.bench.profile;

import org.jspecify.annotations.NullMarked;
