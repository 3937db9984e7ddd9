/// The certificate authority of the mesh. Start at {@link io.loam.ca.CaServer}, which answers requests; who may
/// ask for what decides {@link io.loam.ca.ImpersonationCheck}, what is issued {@link
/// io.loam.ca.CertificateAuthority}.
@NullMarked
package io.loam.ca;

import org.jspecify.annotations.NullMarked;
