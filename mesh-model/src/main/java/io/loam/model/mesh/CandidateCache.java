package io.loam.model.mesh;

import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.util.ArrayList;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The candidates that were worked out for one set of endpoints, kept as long as none of them changes. All
/// workloads of a node are in one place, so a node agent has one entry for each port that is used. The next
/// snapshot carries the entries on, worked out anew.
///
/// A cache of a pure function. Any thread may ask and keep; when two keep at the same time, one may be lost,
/// and is worked out again.
public final class CandidateCache {
    /// More ports or places than this take turns.
    private static final int MOST = 8;

    private volatile Candidates[] known = {};

    CandidateCache() {}

    /// Allocates nothing.
    public @Nullable Candidates find(Service service, int servicePort, boolean toWaypoint, Workload source) {
        for (var candidates : known) {
            if (candidates.areFor(service, servicePort, toWaypoint, source)) {
                return candidates;
            }
        }
        return null;
    }

    public void keep(Candidates candidates) {
        var before = known;
        int kept = Math.min(before.length, MOST - 1);
        var next = Arrays.copyOf(new Candidates[] {candidates}, kept + 1);
        System.arraycopy(before, 0, next, 1, kept);
        known = next;
    }

    /// Works out again, for what the service and its endpoints are now, all that was asked for before. Called
    /// by whoever builds a snapshot, before anybody else sees it.
    ///
    /// @param former of the endpoints before the change; may be this one, when only the service changed
    void follow(CandidateCache former, Service service, Iterable<Endpoint> endpoints) {
        var before = former.known;
        var next = new ArrayList<Candidates>(before.length);
        for (var old : before) { // the latest first
            if (next.stream().noneMatch(old::sameKind)) {
                next.add(old.after(service, endpoints));
            }
        }
        next.reversed().forEach(this::keep);
    }
}
