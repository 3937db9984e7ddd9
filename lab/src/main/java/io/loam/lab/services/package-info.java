/// Virtual addresses of services, balanced by the kernel of each node for programs inside and outside the mesh. Start
/// at {@link io.loam.lab.services.KubeProxy}.
@NullMarked
package io.loam.lab.services;

import org.jspecify.annotations.NullMarked;
