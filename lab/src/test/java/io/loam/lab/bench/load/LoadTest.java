package io.loam.lab.bench.load;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The loads against a server in this process.
final class LoadTest {
    private static final Duration STALL = Duration.ofMillis(300);

    /// Requests until the server stalls once.
    private final AtomicInteger untilStall = new AtomicInteger(Integer.MAX_VALUE);
    private HttpServer server;
    private LoadLoop loop;
    private InetSocketAddress target;

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            if (untilStall.decrementAndGet() == 0) {
                try {
                    Thread.sleep(STALL);
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
            }
            exchange.sendResponseHeaders(200, 2);
            exchange.getResponseBody().write(new byte[] {'o', 'k'});
            exchange.close();
        });
        server.start();
        target = server.getAddress();
        loop = LoadLoop.start();
    }

    @AfterEach
    void stop() {
        loop.close();
        server.stop(0);
    }

    @Test
    void answersEveryRequestOfTheSchedule() throws Exception {
        var result = new FixedRateLoad(loop, target, 200, 4, Duration.ofMillis(500))
                .run()
                .get(10, TimeUnit.SECONDS);

        assertThat(result.failure()).isNull();
        assertThat(result.answered()).isEqualTo(100);
        assertThat(result.p50Micros()).isPositive();
    }

    /// Coordinated omission would show one slow request: the one that stalled.
    @Test
    void countsTheTimeOfRequestsThatAStallDelayed() throws Exception {
        untilStall.set(20);

        var result = new FixedRateLoad(loop, target, 100, 1, Duration.ofSeconds(1))
                .run()
                .get(10, TimeUnit.SECONDS);

        assertThat(result.answered()).isEqualTo(100);
        assertThat(result.p90Micros()).isGreaterThan(STALL.toNanos() / 1e3 / 3);
    }

    @Test
    void opensConnectionsOneAfterTheOther() throws Exception {
        var result = new NewConnectionsLoad(loop, target, 4, Duration.ofMillis(300), request(), null)
                .run()
                .get(10, TimeUnit.SECONDS);

        assertThat(result.failed()).as(String.valueOf(result.firstFailure())).isZero();
        assertThat(result.done()).isGreaterThan(4);
    }

    @Test
    void saysWhyConnectionsFail() throws Exception {
        server.stop(0);

        var result = new NewConnectionsLoad(loop, target, 4, Duration.ofMillis(100), request(), null)
                .run()
                .get(10, TimeUnit.SECONDS);

        assertThat(result.done()).isZero();
        assertThat(result.firstFailure()).contains("refused");
    }

    @Test
    void holdsConnectionsThatHaveServedARequest() throws Exception {
        var held = new HeldConnections(loop, target, 100);

        assertThat(held.open().get(10, TimeUnit.SECONDS)).isEqualTo(new HeldResult(100, null));

        held.release();
    }

    /// The opening of connections is part of what a first request waits for.
    @Test
    void countsTheOpeningOfConnectionsFromTheFirstRequestOn() throws Exception {
        untilStall.set(1);

        var result = FixedRateLoad.fromTheFirst(loop, target, 100, 4, Duration.ofMillis(500))
                .run()
                .get(10, TimeUnit.SECONDS);

        assertThat(result.failure()).isNull();
        assertThat(result.answered()).isEqualTo(50);
        assertThat(result.p999Micros()).isGreaterThan(STALL.toNanos() / 1e3);
        assertThat(result.p50Micros()).isLessThan(STALL.toNanos() / 1e3);
    }

    @Test
    void sendsTheRequestThroughTheTunnelItAskedFor() throws Exception {
        var end = ConnectTarget.serve(0, 1024);
        var address = (InetSocketAddress) end.localAddress();

        var result = new NewConnectionsLoad(loop, address, 4, Duration.ofMillis(300), request(), connect())
                .run()
                .get(10, TimeUnit.SECONDS);
        end.close().sync();

        assertThat(result.failed()).as(String.valueOf(result.firstFailure())).isZero();
        assertThat(result.done()).isGreaterThan(4);
    }

    /// A server that answers CONNECT as any request it does not know has made no tunnel.
    @Test
    void takesARefusedConnectForAFailure() throws Exception {
        server.createContext("/none", exchange -> {
            exchange.sendResponseHeaders(405, -1);
            exchange.close();
        });
        var head = LoadLoop.constant("CONNECT /none HTTP/1.1\r\nHost: x\r\n\r\n");

        var result = new NewConnectionsLoad(loop, target, 2, Duration.ofMillis(100), request(), head)
                .run()
                .get(10, TimeUnit.SECONDS);

        assertThat(result.done()).isZero();
        assertThat(result.firstFailure()).contains("no tunnel", "405");
    }

    private static ByteBuf connect() {
        return LoadLoop.constant("CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: 10.0.0.1:80\r\n\r\n");
    }

    private ByteBuf request() {
        return LoadLoop.request(target);
    }
}
