package io.loam.ca;

import io.loam.ca.PodDirectory.Pod;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.token.ServiceAccountToken;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Who may have a certificate for whom (wire reference, section 5, last paragraph; hazards I1 and I2). Pure: a
/// verified token, the asked identity and the pods of one moment in, the answer with its reason out.
///
/// A workload gets its own identity. A node agent also gets those of the workloads on its own node. Stricter than
/// istiod in three points: the token must be bound to a pod, the pod must not have failed, and where token and
/// directory both name the caller's node they must agree.
///
/// @param trustDomain of every identity issued here
/// @param nodeAccounts the service accounts of node agents
public record ImpersonationCheck(String trustDomain, Set<ServiceAccountName> nodeAccounts) {
    public ImpersonationCheck {
        nodeAccounts = Set.copyOf(nodeAccounts);
    }

    public sealed interface Decision {}

    /// @param identity the name that goes into the certificate
    public record Granted(SpiffeId identity) implements Decision {}

    /// @param detail for our own log; the caller learns nothing of it
    public record Refused(Reason reason, String detail) implements Decision {}

    /// Stable names for logs and metrics.
    public enum Reason {
        TOKEN_NOT_BOUND_TO_POD,
        CALLER_POD_UNKNOWN,
        CALLER_POD_REPLACED,
        CALLER_POD_OTHER_ACCOUNT,
        CALLER_POD_FAILED,
        CALLER_POD_OTHER_NODE,
        NOT_A_NODE_AGENT,
        IDENTITY_UNREADABLE,
        OTHER_TRUST_DOMAIN,
        NOT_ON_CALLERS_NODE
    }

    /// @param requested the SPIFFE id asked for, as sent; null = the caller's own
    public Decision decide(ServiceAccountToken caller, @Nullable String requested, PodDirectory pods) {
        var account = new ServiceAccountName(caller.namespace(), caller.serviceAccount());
        var own = new SpiffeId(trustDomain, caller.namespace(), caller.serviceAccount());
        var asked = requested == null ? own.toString() : requested;
        boolean impersonates = !asked.equals(own.toString());
        if (impersonates && !nodeAccounts.contains(account)) {
            return refused(
                    Reason.NOT_A_NODE_AGENT,
                    account + " asks for " + printable(asked) + " (only " + nodeAccounts + " may ask for others)");
        }
        SpiffeId identity = own;
        if (impersonates) {
            var parsed = SpiffeId.parse(asked);
            if (parsed.isEmpty()) {
                return refused(Reason.IDENTITY_UNREADABLE, "\"" + printable(asked) + "\" is no SPIFFE id");
            }
            identity = parsed.get();
            if (!identity.trustDomain().equals(trustDomain)) {
                return refused(Reason.OTHER_TRUST_DOMAIN, identity + " (ours: " + trustDomain + ")");
            }
        }
        if (caller.podName() == null || caller.podUid() == null) {
            return refused(Reason.TOKEN_NOT_BOUND_TO_POD, "the token of " + account + " names no pod");
        }
        var found = pods.pod(caller.namespace(), caller.podName());
        if (found.isEmpty()) {
            return refused(Reason.CALLER_POD_UNKNOWN, "no pod " + caller.namespace() + "/" + caller.podName());
        }
        var pod = found.get();
        var objection = objectionTo(pod, caller);
        if (objection != null) {
            return objection;
        }
        if (impersonates && !pods.runsOn(pod.node(), identity.namespace(), identity.serviceAccount())) {
            return refused(Reason.NOT_ON_CALLERS_NODE, "no pod of " + identity + " on node " + pod.node());
        }
        return new Granted(identity);
    }

    private static @Nullable Refused objectionTo(Pod pod, ServiceAccountToken caller) {
        var name = "pod " + pod.namespace() + "/" + pod.name();
        if (!pod.uid().equals(caller.podUid())) {
            return refused(
                    Reason.CALLER_POD_REPLACED, name + " has uid " + pod.uid() + " (token: " + caller.podUid() + ")");
        }
        if (!pod.serviceAccount().equals(caller.serviceAccount())) {
            return refused(
                    Reason.CALLER_POD_OTHER_ACCOUNT,
                    name + " runs as " + pod.serviceAccount() + " (token: " + caller.serviceAccount() + ")");
        }
        if (pod.failed()) {
            return refused(Reason.CALLER_POD_FAILED, name + " has failed");
        }
        if (caller.nodeName() != null && !caller.nodeName().equals(pod.node())) {
            return refused(
                    Reason.CALLER_POD_OTHER_NODE,
                    name + " is on node " + pod.node() + " (token: " + caller.nodeName() + ")");
        }
        return null;
    }

    private static Refused refused(Reason reason, String detail) {
        return new Refused(reason, detail);
    }

    /// The text comes from a stranger: what goes into a log is short and has no control characters.
    private static String printable(String text) {
        var shortened = text.length() > 200 ? text.substring(0, 200) + "…" : text;
        return shortened.replaceAll("\\p{Cntrl}", "?");
    }
}
