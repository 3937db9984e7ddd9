/// What must be said to Netty's epoll transport and has no public name there.
@NullMarked
package io.netty.channel.epoll;

import org.jspecify.annotations.NullMarked;
