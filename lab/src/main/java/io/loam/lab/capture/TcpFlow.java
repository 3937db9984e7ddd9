package io.loam.lab.capture;

import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// One TCP connection as the link saw it.
///
/// @param client who opened it; where its first packets are not in the recording, who spoke first in it
/// @param server the other end
/// @param toServer what the client sent
/// @param toClient what the server sent
public record TcpFlow(InetSocketAddress client, InetSocketAddress server, ByteStream toServer, ByteStream toClient) {
    /// How the server answered the TLS handshake, empty if the flow does not start with one.
    public Optional<TlsServerHello> tls() {
        return TlsServerHello.parse(toClient.beginning());
    }

    /// Whether every byte of both directions belongs to a record of TLS, as far as it was recorded from its beginning
    /// and without holes.
    public boolean isTls() {
        return TlsRecords.fill(toServer) && TlsRecords.fill(toClient);
    }

    @Override
    public String toString() {
        return text(client) + " -> " + text(server) + " (" + toServer.length() + " B out, " + toClient.length()
                + " B in)";
    }

    private static String text(InetSocketAddress address) {
        return address.getAddress().getHostAddress() + ":" + address.getPort();
    }

    /// Both ends without a direction, so that the segments of either belong to one flow.
    record Ends(InetSocketAddress one, InetSocketAddress other) {
        static Ends of(TcpSegment segment) {
            var source = segment.source();
            var destination = segment.destination();
            return text(source).compareTo(text(destination)) <= 0
                    ? new Ends(source, destination)
                    : new Ends(destination, source);
        }
    }

    static final class Builder {
        private final boolean firstIsFromClient;
        private final InetSocketAddress first;
        private final InetSocketAddress second;
        private final List<TcpSegment> fromFirst = new ArrayList<>();
        private final List<TcpSegment> fromSecond = new ArrayList<>();

        Builder(TcpSegment earliest) {
            this.first = earliest.source();
            this.second = earliest.destination();
            this.firstIsFromClient = !(earliest.syn() && earliest.ack());
        }

        void add(TcpSegment segment) {
            (segment.source().equals(first) ? fromFirst : fromSecond).add(segment);
        }

        TcpFlow build() {
            var firstStream = ByteStream.of(fromFirst);
            var secondStream = ByteStream.of(fromSecond);
            return firstIsFromClient
                    ? new TcpFlow(first, second, firstStream, secondStream)
                    : new TcpFlow(second, first, secondStream, firstStream);
        }
    }
}
