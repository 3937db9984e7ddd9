/// What tests of a whole mesh share: a lab with its files ({@link io.loam.it.bench.MeshBench}), connections
/// opened inside pods, constant load, and the access logs of agents.
package io.loam.it.bench;
