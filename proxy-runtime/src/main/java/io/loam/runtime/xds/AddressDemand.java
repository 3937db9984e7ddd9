package io.loam.runtime.xds;

import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import java.util.function.Predicate;

/// The names of addresses that this node needs, where the agent asks for them one by one (`XDS_ON_DEMAND`; wire
/// reference, 4.2): `network/ip` or `namespace/hostname`.
///
/// A name is asked for once, however many connections need it, and stays subscribed to while one of them lives
/// and for a while longer ({@link #UNUSED}). As long as it is there **and answered**, the mesh in force says
/// all that the control plane knows about it, as it does without `XDS_ON_DEMAND`: that a workload or service
/// has it, or that nobody has. "Nobody" is an answer, too, kept for {@link #UNUSED_ABSENT}, so that who tries
/// many addresses in turn asks for each of them once; after {@link #BELIEVED} it is asked for again, and
/// believed meanwhile. While the control plane is away nothing is forgotten.
///
/// Names that connections need are limited, those that resources lead to (waypoints) are as many as the
/// resources.
///
/// Connections call what is public, from any thread; the rest belongs to the thread of {@link XdsClient}.
public final class AddressDemand {
    /// On a node: some thousand destinations of its pods, and what a scan adds until it is forgotten. Some 200
    /// bytes each here, and as much at the control plane.
    static final int MOST_NAMES = 16_384;

    /// Asked for and not answered: more than any burst of connections to new destinations within a round trip.
    static final int MOST_PENDING = 4_096;

    /// How long a name is kept that no connection uses. Programs that come back within minutes need not wait
    /// again.
    static final Duration UNUSED = Duration.ofMinutes(5);

    /// The same for a name that nobody has, or that is not answered.
    static final Duration UNUSED_ABSENT = Duration.ofSeconds(30);

    /// How long "nobody has it" is believed before it is asked for again: control planes differ in whether
    /// they tell by themselves when somebody gets it.
    static final Duration BELIEVED = Duration.ofSeconds(30);

    /// Names are forgotten sooner, by this factor, when there are nearly as many as may be; and those that nobody
    /// has at once when there are.
    private static final int HASTE = 10;

    private final LongSupplier nanoTime;
    private final ConcurrentHashMap<String, Name> names = new ConcurrentHashMap<>();
    private final Set<String> unsent = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean woken = new AtomicBoolean();
    private final AtomicInteger pending = new AtomicInteger();
    private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
    private final Counter asked;
    private final Counter answers;
    private final Counter refused;
    private final Counter forgotten;
    private volatile Runnable wake = () -> {};
    private volatile boolean connected;

    /// Somebody was refused because there are too many.
    private volatile boolean crowded;

    /// Heard, and not in force yet. Of the client's thread.
    private final Map<String, Answer> heard = new HashMap<>();

    /// @param nanoTime monotonic clock, for the age of answers
    public AddressDemand(PrometheusRegistry registry, LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
        GaugeWithCallback.builder()
                .name("loam_xds_demand_names")
                .help("Names of addresses that are subscribed to on demand")
                .callback(value -> value.call(names.size()))
                .register(registry);
        GaugeWithCallback.builder()
                .name("loam_xds_demand_pending")
                .help("Those of them that the control plane has not answered")
                .callback(value -> value.call(pending.get()))
                .register(registry);
        asked = Counter.builder()
                .name("loam_xds_demand_asked")
                .help("Names that the control plane was asked for")
                .register(registry);
        answers = Counter.builder()
                .name("loam_xds_demand_answers")
                .help("Its answers, by whether anybody has the name")
                .labelNames("answer")
                .register(registry);
        refused = Counter.builder()
                .name("loam_xds_demand_refused")
                .help("Connections refused because a name was not asked for (too_many) or not answered (not_heard)")
                .labelNames("reason")
                .register(registry);
        forgotten = Counter.builder()
                .name("loam_xds_demand_forgotten")
                .help("Names that nobody used any more")
                .register(registry);
    }

    /// What the control plane said.
    public enum Answer {
        /// Not yet.
        PENDING,
        /// A workload or service has it, or had it: the mesh knows.
        PRESENT,
        /// Nobody has it.
        ABSENT
    }

    // --- for connections ---

    /// Announces that a connection needs the name, and asks for it unless that was done.
    ///
    /// @return whether it could be asked for; then {@link #release} has to follow, once
    public boolean use(String name) {
        if (!names.containsKey(name) && isFull(1)) {
            refused.labelValues("too_many").inc();
            crowded = true;
            wakeClient();
            return false;
        }
        touch(name, 1);
        return true;
    }

    /// The counterpart of {@link #use}.
    public void release(String name) {
        touchKnown(name, -1);
    }

    /// Asks for a name that would be good to know and that nobody waits for; only while there is much room.
    public void mention(String name) {
        if (names.containsKey(name) || !isFull(2)) {
            touch(name, 0);
        }
    }

    /// Whether the mesh in force says what there is to say about the name. Ask this first and look at the mesh
    /// then.
    public boolean isAnswered(String name) {
        var known = names.get(name);
        return known != null && known.answer != Answer.PENDING;
    }

    /// Whether the control plane is there.
    public boolean isConnected() {
        return connected;
    }

    /// A connection was refused because an answer did not come.
    public void countNotHeard() {
        refused.labelValues("not_heard").inc();
    }

    /// @param listener called on the thread of {@link XdsClient} when names were answered; must not block and
    ///     not throw
    public void addListener(Runnable listener) {
        listeners.add(listener);
    }

    /// For the configuration dump: name to what is known and how many use it, sorted; weakly consistent.
    public Map<String, State> states() {
        var states = new TreeMap<String, State>();
        names.forEach((name, known) -> states.put(name, new State(known.answer, known.uses)));
        return states;
    }

    /// @param uses connections, and resources that lead to it
    public record State(Answer answer, int uses) {}

    private boolean isFull(int share) {
        return names.size() >= MOST_NAMES / share || pending.get() >= MOST_PENDING / share;
    }

    private void touch(String key, int more) {
        long now = nanoTime.getAsLong();
        var found = names.compute(key, (_, known) -> {
            var name = known;
            if (name == null) {
                name = new Name();
                pending.incrementAndGet();
                name.due = true;
            } else if (name.answer == Answer.ABSENT && now - name.answeredNanos > BELIEVED.toNanos()) {
                name.answeredNanos = now;
                name.due = true;
            }
            return name.touched(now, more);
        });
        if (found.due) {
            found.due = false;
            unsent.add(key); // after the name is there to be found
            wakeClient();
        }
    }

    private void wakeClient() {
        if (woken.compareAndSet(false, true)) {
            wake.run();
        }
    }

    private void touchKnown(String key, int more) {
        long now = nanoTime.getAsLong();
        names.computeIfPresent(key, (_, name) -> name.touched(now, more));
    }

    // --- for the client ---

    /// As {@link #use}, for what a resource leads to: whatever the limit.
    void refer(String name) {
        touch(name, 1);
    }

    /// Monotonic clock.
    long nanoTime() {
        return nanoTime.getAsLong();
    }

    boolean isWanted(String name) {
        return names.containsKey(name);
    }

    Set<String> wanted() {
        return names.keySet();
    }

    /// A stream begins.
    ///
    /// @param wake called from any thread when there are names to be asked for; must not block
    /// @return the names that the mesh in force speaks for, which are to be subscribed to again
    List<String> attach(Runnable wake) {
        this.wake = wake;
        heard.clear();
        var known = new ArrayList<String>();
        names.forEach((key, name) -> {
            if (name.answer != Answer.PENDING) {
                known.add(key);
            }
        });
        return known;
    }

    void detach() {
        wake = () -> {};
        connected = false;
    }

    void inStep() {
        connected = true;
    }

    /// What was never answered, for a stream that has begun. Names that nobody waits for any more are
    /// forgotten.
    List<String> unanswered() {
        var found = new LinkedHashSet<String>();
        for (var key : names.keySet()) {
            var kept = names.computeIfPresent(key, (_, name) -> {
                boolean given = name.answer == Answer.PENDING && name.uses == 0;
                if (given) {
                    pending.decrementAndGet();
                }
                return given ? null : name;
            });
            if (kept != null && kept.answer == Answer.PENDING) {
                found.add(key);
            }
        }
        asked.inc(found.size());
        found.addAll(unsent());
        return List.copyOf(found);
    }

    /// What is to be asked for now.
    List<String> unsent() {
        woken.set(false); // before the look: what comes after it wakes us again
        var found = new ArrayList<String>();
        for (var each = unsent.iterator(); each.hasNext(); ) {
            var key = each.next();
            each.remove();
            if (names.containsKey(key)) {
                found.add(key);
            }
        }
        asked.inc(found.size());
        return found;
    }

    /// Notes which names a response speaks about. They count once it is in force: see {@link #published}.
    ///
    /// @param understood whether there is something in the mesh for a resource of this name. Where there
    ///     is not, its names count as not answered: somebody has them
    void heard(DeltaDiscoveryResponse response, Predicate<String> understood) {
        for (var name : response.getRemovedResourcesList()) {
            note(name, Answer.ABSENT);
        }
        for (var resource : response.getResourcesList()) {
            var answer = understood.test(resource.getName()) ? Answer.PRESENT : Answer.PENDING;
            note(resource.getName(), answer);
            resource.getAliasesList().forEach(alias -> note(alias, answer));
        }
    }

    private void note(String name, Answer answer) {
        if (names.containsKey(name)) {
            heard.put(name, answer);
        }
    }

    /// What was heard is in force now.
    void published() {
        if (heard.isEmpty()) {
            return;
        }
        long now = nanoTime.getAsLong();
        heard.forEach((key, answer) -> names.computeIfPresent(key, (_, name) -> {
            if (name.answer == Answer.PENDING && answer != Answer.PENDING) {
                pending.decrementAndGet();
                answers.labelValues(answer == Answer.ABSENT ? "absent" : "present")
                        .inc();
            } else if (name.answer == Answer.ABSENT && answer == Answer.PENDING) {
                pending.incrementAndGet();
            } else if (answer == Answer.PENDING) {
                return name; // of a resource that is known, the last good version stays
            }
            name.answeredNanos = now;
            name.answer = answer;
            return name;
        }));
        heard.clear();
        listeners.forEach(Runnable::run);
    }

    /// Whether names are to be forgotten now, and not at the next occasion: who tries one address after another
    /// must not keep others from theirs.
    boolean takeCrowded() {
        boolean was = crowded;
        crowded = false;
        return was && names.size() >= MOST_NAMES;
    }

    /// Forgets names that were not used for long enough.
    ///
    /// @return which
    List<String> forget() {
        int size = names.size();
        int factor = size >= MOST_NAMES ? Integer.MAX_VALUE : size > MOST_NAMES / 4 * 3 ? HASTE : 1;
        long now = nanoTime.getAsLong();
        var gone = new ArrayList<String>();
        for (var key : names.keySet()) {
            var left = names.computeIfPresent(key, (_, name) -> name.isOver(now, factor) ? null : name);
            if (left == null) {
                gone.add(key);
            }
        }
        forgotten.inc(gone.size());
        return gone;
    }

    /// One name. Changed inside of the map's own atomic operations alone, so that who finds it forgotten
    /// meanwhile begins anew.
    private final class Name {
        volatile Answer answer = Answer.PENDING;

        /// To be asked for, and not among those that are yet.
        volatile boolean due;

        int uses;
        long usedNanos;
        long answeredNanos;

        Name touched(long now, int more) {
            uses += more;
            usedNanos = now;
            return this;
        }

        /// Does the bookkeeping of its end, too.
        boolean isOver(long now, int factor) {
            long keep = answer == Answer.PRESENT
                    ? UNUSED.toNanos() / Math.min(factor, HASTE)
                    : UNUSED_ABSENT.toNanos() / factor;
            boolean over = uses == 0 && now - usedNanos >= keep;
            if (over && answer == Answer.PENDING) {
                pending.decrementAndGet();
            }
            return over;
        }
    }
}
