package io.loam.jmh;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.hbone.ConnectHandler;
import io.loam.protocol.hbone.HboneClientHandler;
import io.loam.protocol.hbone.HboneServerHandler;
import io.loam.protocol.hbone.RecordFiller;
import io.loam.protocol.hbone.Tunnel;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.Set;

/// Both ends of a tunnel in one thread and without sockets: what one end writes is handed to the other. The measured
/// time is that of TLS, framing and flow control of both ends.
final class EmbeddedTunnel implements AutoCloseable {
    private static final SpiffeId CLIENT = new SpiffeId("cluster.local", "shop", "client");
    private static final SpiffeId SERVER = new SpiffeId("cluster.local", "shop", "server");

    private final EmbeddedChannel client = new EmbeddedChannel();
    private final EmbeddedChannel server = new EmbeddedChannel();
    private final HboneClientHandler tunnel;
    private boolean ready;

    /// @param connects answers on the server's side
    EmbeddedTunnel(boolean tls, ConnectHandler connects) {
        tunnel = HboneClientHandler.create(new Tunnel.Listener() {
            @Override
            public void onReady(Tunnel tunnel) {
                ready = true;
            }

            @Override
            public void onRoom(Tunnel tunnel) {}

            @Override
            public void onDraining(Tunnel tunnel) {}
        });
        client.config().setAllocator(PooledByteBufAllocator.DEFAULT);
        server.config().setAllocator(PooledByteBufAllocator.DEFAULT);
        if (tls) {
            try (var certificates = new Certificates()) {
                var clientTls = certificates.tls(CLIENT).newClientHandler(client.alloc(), Set.of(SERVER));
                server.pipeline().addLast(certificates.tls(SERVER).newServerHandler(server.alloc()));
                client.pipeline().addLast(clientTls);
                while (!clientTls.handshakeFuture().isDone()) {
                    exchange();
                }
            }
            server.pipeline().addLast(new RecordFiller());
            client.pipeline().addLast(new RecordFiller());
        }
        server.pipeline().addLast(HboneServerHandler.create(connects));
        client.pipeline().addLast(tunnel);
        exchange();
        if (!ready) {
            throw new IllegalStateException("the tunnel did not open: client " + client + ", server " + server);
        }
    }

    Tunnel tunnel() {
        return tunnel;
    }

    EmbeddedChannel client() {
        return client;
    }

    /// Until neither end has anything left to say.
    void exchange() {
        boolean moved;
        do {
            client.runPendingTasks();
            moved = move(client, server);
            server.runPendingTasks();
            moved |= move(server, client);
        } while (moved);
        client.checkException();
        server.checkException();
    }

    private static boolean move(EmbeddedChannel from, EmbeddedChannel to) {
        boolean moved = false;
        for (ByteBuf data = from.readOutbound(); data != null; data = from.readOutbound()) {
            if (!data.isReadable()) { // each flush of TLS leaves one, and they would go to and fro for ever
                data.release();
                continue;
            }
            var _ = to.writeOneInbound(data); // its failure comes to checkException
            moved = true;
        }
        if (moved) {
            to.flushInbound();
        }
        return moved;
    }

    @Override
    public void close() {
        tunnel.close();
        client.finishAndReleaseAll();
        server.finishAndReleaseAll();
    }
}
