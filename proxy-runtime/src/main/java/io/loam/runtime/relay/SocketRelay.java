package io.loam.runtime.relay;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/// Joins two sockets on the same event loop, for plaintext: the rules of {@link Relay} without a tunnel.
public final class SocketRelay implements RunningRelay {
    private final Direction fromApplication;
    private final Direction fromPeer;
    private final RelayListener listener;
    private boolean ended;

    private SocketRelay(ApplicationSocket application, ApplicationSocket peer, RelayListener listener) {
        this.listener = listener;
        fromApplication = new Direction(application, RelayEnd.Side.APPLICATION);
        fromPeer = new Direction(peer, RelayEnd.Side.PEER);
        fromApplication.to = fromPeer;
        fromPeer.to = fromApplication;
    }

    public static SocketRelay of(ApplicationSocket application, ApplicationSocket peer, RelayListener listener) {
        return new SocketRelay(application, peer, listener);
    }

    /// Begins to move bytes. Called on the event loop; both sockets are closed by the relay from now on.
    public void start() {
        fromApplication.socket.start(fromApplication);
        if (!ended) {
            fromPeer.socket.start(fromPeer);
        }
    }

    @Override
    public void abort(String reason) {
        if (!ended) {
            fromApplication.socket.abort();
            fromPeer.socket.abort();
            end(new RelayEnd.Aborted(reason));
        }
    }

    @Override
    public long bytesFromApplication() {
        return fromApplication.bytes;
    }

    @Override
    public long bytesToApplication() {
        return fromPeer.bytes;
    }

    private void end(RelayEnd end) {
        ended = true;
        listener.onRelayEnd(end, fromApplication.bytes, fromPeer.bytes);
    }

    private void endIfBothEnded() {
        if (!ended && fromApplication.isEnded() && fromPeer.isEnded()) {
            fromApplication.socket.close();
            fromPeer.socket.close();
            end(new RelayEnd.BothFinished());
        }
    }

    /// What one socket says, and where it goes.
    private final class Direction implements ApplicationSocket.Events {
        private final ApplicationSocket socket;
        private final RelayEnd.Side side;
        private @Nullable Direction to;
        private long bytes;

        Direction(ApplicationSocket socket, RelayEnd.Side side) {
            this.socket = socket;
            this.side = side;
        }

        private Direction to() {
            if (to == null) {
                throw new IllegalStateException("relay was not joined");
            }
            return to;
        }

        /// FIN came in here and went out there.
        boolean isEnded() {
            return socket.isInputEnded() && to().socket.isOutputEnded();
        }

        @Override
        public void onBytes(ByteBuf data) {
            bytes += data.readableBytes();
            to().socket.write(data);
            if (!to().socket.isWritable()) {
                socket.pauseReading();
            }
        }

        @Override
        public void onBytesComplete() {
            to().socket.flush();
        }

        @Override
        public void onInputEnd() {
            to().socket.endOutput();
        }

        @Override
        public void onSocketWritable() {
            to().socket.resumeReading();
        }

        @Override
        public void onOutputEnd() {
            endIfBothEnded();
        }

        @Override
        public void onSocketLost(String detail) {
            if (!ended) {
                to().socket.abort();
                end(new RelayEnd.Reset(side, detail));
            }
        }

        /// Hazards, rule 7: a bug ends this connection and nothing else.
        @Override
        public void onBug(Throwable cause) {
            socket.abort();
            to().socket.abort();
            end(new RelayEnd.Bug(cause));
        }
    }
}
