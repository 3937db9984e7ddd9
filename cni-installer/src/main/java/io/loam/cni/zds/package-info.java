/// The privileged half's end of ZDS: node proxies connect and are told of every pod. Start at
/// {@link io.loam.cni.zds.ZdsServer}.
@NullMarked
package io.loam.cni.zds;

import org.jspecify.annotations.NullMarked;
