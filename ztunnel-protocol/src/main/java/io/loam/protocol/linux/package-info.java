/// The system calls that the JDK and Netty lack: network namespaces, descriptor passing with a message body, socket
/// options, limits. The only package that uses the foreign-function API. Start at {@link io.loam.protocol.linux.Netns}.
@NullMarked
package io.loam.protocol.linux;

import org.jspecify.annotations.NullMarked;
