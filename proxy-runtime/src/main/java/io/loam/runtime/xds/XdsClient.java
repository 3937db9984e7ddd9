package io.loam.runtime.xds;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.loam.model.mesh.MeshView;
import io.loam.protocol.proto.discovery.AggregatedDiscoveryServiceGrpc;
import io.loam.protocol.proto.discovery.DeltaDiscoveryRequest;
import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.loam.protocol.proto.discovery.Node;
import io.loam.runtime.admin.Readiness;
import io.loam.runtime.config.NodeConfig;
import io.loam.runtime.config.UpstreamConfig;
import io.loam.runtime.grpc.UpstreamChannels;
import io.loam.runtime.time.Backoff;
import io.loam.runtime.time.Timer;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/// Keeps the mesh in step with the control plane: one stream of delta ADS, wildcard subscriptions (wire
/// reference, 4.1 and 4.2). With an {@link AddressDemand}, addresses are subscribed to one by one instead, as
/// connections need them, and dropped when they do not any more ({@link Interest}).
///
/// One thread does everything that takes time: it reads messages, one at a time and only asks for the next when the
/// last is applied, builds the next snapshot and publishes it. A resource that cannot be read is named in a NACK, and
/// what was known of it stays in force. When the stream ends the mesh stays as it is; the next stream begins with the
/// versions held.
///
/// Where the control plane cannot be reached at the start, or says nothing for {@link #SILENCE}, the mesh that
/// a predecessor left is in force until it does ({@link MeshMemory}, hazard P6).
public final class XdsClient implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(XdsClient.class);
    private static final Duration FIRST_PAUSE = Duration.ofMillis(10);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(15);
    private static final double PAUSE_JITTER = 0.3;

    /// A control plane that is there answers in some milliseconds, on a busy node in some seconds; what it would
    /// say is better than what it said once. Connections wait meanwhile.
    static final Duration SILENCE = Duration.ofSeconds(5);

    /// How often is looked for addresses that nobody needs any more.
    static final Duration SWEEP = Duration.ofSeconds(10);

    /// All resources of a type.
    private static final String EVERYTHING = "*";

    /// INVALID_ARGUMENT of google.rpc.Code: what a NACK carries.
    private static final int INVALID_ARGUMENT = 3;

    /// Remark on the readiness page.
    private static final String STALE = "mesh from disk";

    private final UpstreamChannels channels;
    private final UpstreamConfig upstream;
    private final Node node;
    private final MeshView view;
    private final Readiness readiness;
    private final XdsMetrics metrics;
    private final Timer clock;
    private final Backoff backoff;
    private final MeshAssembly assembly;
    private final MeshMemory memory;

    /// Null: all addresses are subscribed to.
    private final @Nullable OnDemand onDemand;

    private final Thread thread;
    private volatile boolean closed;

    /// A mesh from disk is in force. Of this client's thread.
    private boolean stale;

    /// @param view published to by this client alone
    /// @param memory what a predecessor left, and what is left to a successor; of nothing where `demand` is
    ///     given
    /// @param demand the addresses to be asked for; null: all there are
    public XdsClient(
            UpstreamChannels channels,
            UpstreamConfig upstream,
            NodeConfig node,
            MeshView view,
            MeshMemory memory,
            @Nullable AddressDemand demand,
            Readiness readiness,
            PrometheusRegistry registry,
            Timer clock,
            RandomGenerator random) {
        this.channels = channels;
        this.upstream = upstream;
        this.node = NodeMetadata.of(node);
        this.view = view;
        this.memory = memory;
        this.readiness = readiness;
        this.metrics = new XdsMetrics(registry, clock);
        onDemand = demand == null ? null : new OnDemand(demand, new Interest(demand, node.nodeName()));
        this.assembly = new MeshAssembly(
                view, rootNamespaces(node.podNamespace()), onDemand == null ? null : onDemand.interest);
        this.clock = clock;
        this.backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE, PAUSE_JITTER, random);
        for (var type : ResourceType.values()) {
            readiness.pending(task(type));
        }
        thread = Thread.ofPlatform().daemon().name("loam-xds").unstarted(this::run);
    }

    /// Whose policies hold for the whole mesh: Istio's, ours, and the one that this proxy runs in.
    ///
    /// @param own may be one of the others
    static Set<String> rootNamespaces(String own) {
        return Stream.of("istio-system", "loam-system", own).collect(Collectors.toUnmodifiableSet());
    }

    /// Begins to connect; returns at once.
    public void start() {
        thread.start();
    }

    /// Ends the stream and the thread.
    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }

    private static String task(ResourceType type) {
        return "xds " + type.url();
    }

    private void run() {
        memory.read().ifPresent(assembly::beginWith);
        while (!closed) {
            try {
                var end = streamOnce(); // an established stream has reset the back-off: the next try comes soon
                outOfStep();
                fallBack(end.toString());
                pause(end);
            } catch (InterruptedException e) {
                if (!closed) { // without this thread the mesh would stay as it is for good
                    log.error("interrupted by somebody who does not own this thread", e);
                }
            }
        }
    }

    private void pause(Status end) throws InterruptedException {
        var pause = backoff.pause();
        log.warn("control plane lost address={} reason={} retry.in={}", upstream.address(), end, pause);
        var over = new CountDownLatch(1);
        var _ = clock.after(pause, over::countDown);
        over.await();
    }

    /// One stream from its first request to its end.
    private Status streamOnce() throws InterruptedException {
        ManagedChannel channel;
        try {
            channel = channels.open(upstream);
        } catch (IOException | RuntimeException | Error e) { // wrong settings may be mended in a file
            return Status.UNAVAILABLE.withDescription(e.getMessage()).withCause(e);
        }
        var stream = new DeltaStream();
        var heard = EnumSet.noneOf(ResourceType.class);
        if (assembly.hasSaved()) {
            var _ = clock.after(SILENCE, () -> stream.events.add(new Event.Silence()));
        }
        try {
            AggregatedDiscoveryServiceGrpc.newStub(channel).deltaAggregatedResources(stream);
            for (var type : ResourceType.values()) {
                var first = DeltaDiscoveryRequest.newBuilder()
                        .setNode(node)
                        .setTypeUrl(type.url())
                        .putAllInitialResourceVersions(assembly.versions(type));
                if (onDemand != null && type == ResourceType.ADDRESS) {
                    onDemand.begin(stream, first);
                }
                stream.send(first.build());
            }
            if (onDemand != null) {
                onDemand.ask(stream, onDemand.demand.unanswered());
                onDemand.sweepLater(stream);
            }
            boolean established = false;
            while (true) {
                switch (stream.events.take()) {
                    case Event.Message(var response) -> {
                        if (!established) {
                            established = true;
                            log.info("control plane connected address={}", upstream.address());
                        }
                        stream.send(apply(response));
                        stream.requestNext();
                        backoff.reset(); // not before it was applied: a response that ends us would come every 10 ms
                        ResourceType.of(response.getTypeUrl()).ifPresent(heard::add);
                        if (heard.size() == ResourceType.values().length) {
                            inStep();
                        }
                    }
                    case Event.Silence _ -> {
                        if (heard.isEmpty()) { // otherwise the rest is on its way
                            fallBack("nothing heard within " + SILENCE);
                        }
                    }
                    case Event.Wanted _ -> {
                        if (onDemand != null) {
                            onDemand.answerDemand(stream);
                        }
                    }
                    case Event.Sweep _ -> {
                        if (onDemand != null) {
                            onDemand.sweep(stream);
                            onDemand.sweepLater(stream);
                        }
                    }
                    case Event.Ended(var status) -> {
                        metrics.terminated(status, established);
                        return status;
                    }
                }
            }
        } catch (RuntimeException | Error e) { // a bug ends the stream, not the thread that keeps the mesh in step
            log.error("update from the control plane failed", e);
            return Status.INTERNAL.withCause(e);
        } finally {
            channel.shutdownNow();
        }
    }

    /// The control plane has said everything on this stream.
    private void inStep() {
        if (stale) {
            stale = false;
            log.info("control plane reached, mesh from disk replaced address={}", upstream.address());
            readiness.unremark(STALE);
        }
        metrics.inStep();
        if (onDemand != null) {
            onDemand.demand.inStep();
        }
        memory.inStep(view.current());
    }

    private void outOfStep() {
        metrics.outOfStep();
        if (onDemand != null) {
            onDemand.demand.detach();
        }
        memory.outOfStep();
    }

    /// Does nothing unless there is a mesh from disk that is still to be used.
    private void fallBack(String reason) {
        SavedMesh saved;
        try {
            var found = assembly.fallBack();
            if (found.isEmpty()) {
                return;
            }
            saved = found.get();
        } catch (RuntimeException | Error e) { // it is in force all the same, or nothing is
            log.error("mesh from disk failed", e);
            return;
        }
        stale = true;
        var asOf = saved.asOf();
        log.warn(
                "control plane away, mesh from disk in force as.of={} age.s={} {} reason={}",
                asOf,
                ageSeconds(asOf),
                saved.mesh(),
                reason);
        metrics.fellBack(asOf);
        readiness.remark(
                STALE,
                () -> "mesh from disk, as of " + asOf + ", " + ageSeconds(asOf)
                        + " s ago: the control plane was not reached since the start");
        for (var type : ResourceType.values()) {
            readiness.done(task(type));
        }
    }

    private long ageSeconds(Instant asOf) {
        return Duration.between(asOf, clock.now()).toSeconds();
    }

    /// Applies what can be read and returns the answer: an ACK, or a NACK that names what could not.
    private DeltaDiscoveryRequest apply(DeltaDiscoveryResponse response) {
        var answer = DeltaDiscoveryRequest.newBuilder()
                .setTypeUrl(response.getTypeUrl())
                .setResponseNonce(response.getNonce());
        var known = ResourceType.of(response.getTypeUrl());
        if (known.isEmpty()) {
            return answer.setErrorDetail(nack("type " + response.getTypeUrl() + ": not subscribed to"))
                    .build();
        }
        var type = known.get();
        long began = System.nanoTime();
        metrics.received(type, response.getSerializedSize());
        var problems = assembly.apply(type, response);
        readiness.done(task(type));
        // On demand, an answer for each new destination of a connection is a response of its own.
        var level = onDemand != null && type == ResourceType.ADDRESS ? Level.DEBUG : Level.INFO;
        log.atLevel(level)
                .log(
                        "mesh updated type={} resources={} removed={} rejected={} version={} duration.ms={}",
                        type,
                        response.getResourcesCount(),
                        response.getRemovedResourcesCount(),
                        problems.size(),
                        view.current().version(),
                        TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began));
        if (!problems.isEmpty()) {
            metrics.rejected(type, problems.size());
            var message = String.join("; ", problems);
            log.warn("resources rejected type={} problems={}", type, message);
            answer.setErrorDetail(nack(message));
        }
        return answer.build();
    }

    private static io.loam.protocol.proto.discovery.Status nack(String message) {
        return io.loam.protocol.proto.discovery.Status.newBuilder()
                .setCode(INVALID_ARGUMENT)
                .setMessage(message)
                .build();
    }

    /// What is said about single addresses. Of this client's thread.
    private final class OnDemand {
        final AddressDemand demand;
        final Interest interest;

        OnDemand(AddressDemand demand, Interest interest) {
            this.demand = demand;
            this.interest = interest;
        }

        /// To and off everything, and to what the mesh in force speaks for: its versions stand in the same
        /// request, so only what differs comes.
        void begin(DeltaStream stream, DeltaDiscoveryRequest.Builder first) {
            first.addResourceNamesSubscribe(EVERYTHING)
                    .addResourceNamesUnsubscribe(EVERYTHING)
                    .addAllResourceNamesSubscribe(demand.attach(() -> stream.events.add(new Event.Wanted())));
        }

        /// Not with the first request: what is asked for in a later one is answered even if it is held already.
        void ask(DeltaStream stream, List<String> names) {
            if (!names.isEmpty()) {
                stream.send(change().addAllResourceNamesSubscribe(names).build());
                log.debug("addresses asked for names={}", names);
            }
        }

        void answerDemand(DeltaStream stream) {
            ask(stream, demand.unsent());
            if (demand.takeCrowded()) {
                sweep(stream);
            }
        }

        void sweep(DeltaStream stream) {
            var names = assembly.sweep(interest);
            if (!names.isEmpty()) {
                stream.send(change().addAllResourceNamesUnsubscribe(names).build());
                log.debug("addresses given up names={}", names);
            }
        }

        void sweepLater(DeltaStream stream) {
            var _ = clock.after(SWEEP, () -> stream.events.add(new Event.Sweep()));
        }

        private DeltaDiscoveryRequest.Builder change() {
            return DeltaDiscoveryRequest.newBuilder().setTypeUrl(ResourceType.ADDRESS.url());
        }
    }

    private sealed interface Event {
        record Message(DeltaDiscoveryResponse response) implements Event {}

        record Ended(Status status) implements Event {}

        /// Time has passed.
        record Silence() implements Event {}

        /// There are addresses to be asked for.
        record Wanted() implements Event {}

        /// It is time to look for addresses that nobody needs.
        record Sweep() implements Event {}
    }

    /// Hands what gRPC's thread hears to ours. At most one message waits: the next is asked for when it is applied.
    private static final class DeltaStream
            implements ClientResponseObserver<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
        final BlockingQueue<Event> events = new LinkedBlockingQueue<>();
        private @Nullable ClientCallStreamObserver<DeltaDiscoveryRequest> call;

        @Override
        public void beforeStart(ClientCallStreamObserver<DeltaDiscoveryRequest> requests) {
            requests.disableAutoRequestWithInitial(1);
            call = requests;
        }

        void send(DeltaDiscoveryRequest request) {
            requireCall().onNext(request);
        }

        void requestNext() {
            requireCall().request(1);
        }

        private ClientCallStreamObserver<DeltaDiscoveryRequest> requireCall() {
            if (call == null) {
                throw new IllegalStateException("stream not started"); // gRPC calls beforeStart first
            }
            return call;
        }

        @Override
        public void onNext(DeltaDiscoveryResponse response) {
            events.add(new Event.Message(response));
        }

        @Override
        public void onError(Throwable failure) {
            events.add(new Event.Ended(Status.fromThrowable(failure)));
        }

        @Override
        public void onCompleted() {
            events.add(new Event.Ended(Status.OK));
        }
    }
}
