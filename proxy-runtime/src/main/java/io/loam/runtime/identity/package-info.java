/// Certificates of the workloads on this node. Start at {@link io.loam.runtime.identity.CertificateSource}.
@NullMarked
package io.loam.runtime.identity;

import org.jspecify.annotations.NullMarked;
