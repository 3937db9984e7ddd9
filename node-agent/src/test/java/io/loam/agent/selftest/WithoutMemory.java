package io.loam.agent.selftest;

import io.loam.agent.connections.ConnectionFixture;
import io.loam.agent.pod.TestPods;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.tls.HandshakeTerms;
import io.loam.runtime.loops.EventLoops;
import io.loam.runtime.time.SystemTimer;
import io.loam.runtime.tunnel.TunnelPoolConfig;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.handler.ssl.OpenSsl;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/// A program with the JVM options of an agent: connections through the data path while somebody has all direct
/// memory, so that loops cannot have their first piece; while there is memory; while somebody has all but what
/// the loops hold; and afterwards. Prints for each how many were served, and whether all loops answer.
final class WithoutMemory {
    static final int CONNECTIONS = 100;
    private static final int BYTES = 16 << 10;
    private static final int ROUNDS = 10;

    /// Whoever hears nothing for so long has been forgotten.
    private static final int PATIENCE_MILLIS = 20_000;

    private final LoopbackMesh mesh;
    private final EventLoops loops;
    private final List<ByteBuf> hoard = new ArrayList<>();

    private WithoutMemory(EventLoops loops) throws IOException {
        this.loops = loops;
        mesh = LoopbackMesh.open(
                loops,
                TestPods.SOCKETS,
                TunnelPoolConfig.DEFAULT,
                HboneConfig.DEFAULT,
                HandshakeTerms.DEFAULT,
                new SystemTimer(),
                () -> ThreadLocalRandom.current().nextLong());
    }

    static void main() throws Exception {
        OpenSsl.ensureAvailability(); // a class that cannot be initialized stays so; agents do this first, too
        var program = new WithoutMemory(new EventLoops(2));
        ConnectionFixture.await(program.mesh::hasCertificates);
        program.takeAll();
        program.report("none");
        program.release();
        program.reportOnceAllAreServed("enough");
        program.takeAll();
        program.report("short");
        program.release();
        program.reportOnceAllAreServed("enough again");
        System.exit(0);
    }

    private void takeAll() {
        for (int bytes = 16 << 20; bytes >= 1024; bytes /= 2) {
            try {
                while (true) {
                    hoard.add(PooledByteBufAllocator.DEFAULT.directBuffer(bytes, bytes));
                }
            } catch (OutOfMemoryError _) {
                // smaller pieces may still fit
            }
        }
    }

    private void release() {
        hoard.forEach(ByteBuf::release);
        hoard.clear();
    }

    /// A tunnel that was begun without memory may still be failing when there is some again, and with it who came
    /// for it.
    private void reportOnceAllAreServed(String memory) throws Exception {
        for (int round = 1; round <= ROUNDS; round++) {
            if (report(memory + ", round " + round) == CONNECTIONS) {
                return;
            }
        }
    }

    /// @return how many were served
    private int report(String memory) throws Exception {
        int served = 0;
        int forgotten = 0;
        try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
            var calls = IntStream.range(0, CONNECTIONS)
                    .mapToObj(i -> (Callable<Outcome>) () -> echo(i))
                    .toList();
            for (var call : callers.invokeAll(calls)) {
                switch (call.get()) {
                    case SERVED -> served++;
                    case FORGOTTEN -> forgotten++;
                    case REFUSED -> {}
                }
            }
        }
        int alive = 0;
        for (var loop : loops.all()) {
            alive += loop.submit(() -> 1).get(20, TimeUnit.SECONDS);
        }
        System.out.println("memory " + memory + ": served " + served + " forgotten " + forgotten + " loops alive "
                + alive + " of " + loops.all().size());
        return served;
    }

    private enum Outcome {
        SERVED,
        REFUSED,
        FORGOTTEN
    }

    private Outcome echo(int number) {
        var entry = mesh.entries().get(number % mesh.entries().size());
        var sent = new byte[BYTES];
        Arrays.fill(sent, (byte) number);
        try (var socket = new Socket(entry.getAddress(), entry.getPort())) {
            socket.setSoTimeout(PATIENCE_MILLIS);
            socket.getOutputStream().write(sent);
            return Arrays.equals(socket.getInputStream().readNBytes(BYTES), sent) ? Outcome.SERVED : Outcome.REFUSED;
        } catch (SocketTimeoutException _) {
            return Outcome.FORGOTTEN;
        } catch (IOException _) {
            return Outcome.REFUSED;
        }
    }
}
