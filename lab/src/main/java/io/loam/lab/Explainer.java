package io.loam.lab;

import io.loam.config.cluster.RunningPod;
import io.loam.config.compile.MeshSettings;
import io.loam.lab.accesslog.AgentLog;
import io.loam.lab.command.Command;
import io.loam.model.decision.Authority;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.dns.NameResolver;
import io.loam.model.explain.Explanation;
import io.loam.model.explain.Passage;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.PolicyFindings;
import io.loam.model.policy.Verdict;
import io.loam.model.workload.Workload;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// Answers "may this pod connect there, and why" for a running lab, from the mesh that its agents were sent and by the
/// functions that they decide by. The answers are documented in the command's package `io.loam.cli.lab`.
final class Explainer {
    private static final Duration PROBE_TIMEOUT = Duration.ofSeconds(30);

    /// A line is written when the connection has ended, and by a thread that does nothing else.
    private static final Duration LOG_PATIENCE = Duration.ofSeconds(3);

    private static final Duration LOG_POLL = Duration.ofMillis(20);

    private final Lab lab;

    Explainer(Lab lab) {
        this.lab = lab;
    }

    /// One question with what it was answered from.
    record Question(RunningPod pod, Workload source, Target target, MeshSnapshot mesh, Explanation explanation) {}

    /// @param from a pod or Deployment
    /// @param to see {@link Targets#of}
    /// @param probe whether to open the connection as well
    /// @throws IllegalArgumentException if one of them is not there, in words for the user
    Map<String, Object> why(String from, String to, boolean probe) throws IOException {
        var question = ask(from, to);
        var json = json(question);
        if (probe) {
            json.put("probe", probe(question));
        }
        return json;
    }

    Question ask(String from, String to) throws IOException {
        var compiled = lab.mesh();
        var mesh =
                MeshSnapshot.EMPTY.apply(MeshDelta.of(compiled.workloads(), compiled.services(), compiled.policies()));
        var pod = lab.pod(from);
        var source =
                mesh.localWorkload(pod.name(), pod.namespace(), pod.pod().spec().serviceAccountName(), pod.node());
        if (source == null) {
            throw new IllegalArgumentException("pod " + pod.namespace() + "/" + pod.name()
                    + " is not known to the control plane yet (see 'loam explain UNKNOWN_SOURCE')");
        }
        var settings = MeshSettings.DEFAULT;
        var resolver = new NameResolver(settings.clusterDomain(), "", true);
        var target = new Targets(lab, mesh, resolver).of(pod, source, to);
        var written = new LabPolicies(lab.state(), settings.rootNamespaces());
        return new Question(pod, source, target, mesh, Explanation.of(mesh, source, target.address(), written));
    }

    /// Opens the connection as a process of the pod.
    ///
    /// @param text what it sends
    ProbeResult connect(Question question, String text) throws IOException {
        var argv = new ArrayList<>(lab.enter(name(question.source())));
        argv.addAll(ConnectionProbe.command(question.target().address(), text));
        return ProbeResult.parse(Command.result(argv, "", PROBE_TIMEOUT).output());
    }

    /// What the source's agent logged about a probe, empty for a pod that no agent captures.
    ///
    /// @param log of that agent, from before the connection
    /// @param probe has ended
    Map<String, String> logged(Question question, AgentLog log, ProbeResult probe) throws IOException {
        if (!Passage.isCaptured(question.source())) {
            return Map.of();
        }
        long deadline = System.nanoTime() + LOG_PATIENCE.toNanos();
        while (true) {
            var found = ended(log, probe.local());
            if (found.isPresent() || System.nanoTime() - deadline > 0) {
                return found.orElse(Map.of());
            }
            try {
                Thread.sleep(LOG_POLL);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw (IOException) new InterruptedIOException("interrupted").initCause(e);
            }
        }
    }

    /// @param log of the source's agent, from before the connection
    /// @param source the application's end of it, as `ip:port`
    /// @return the fields of its line; empty if it has not ended
    static Optional<Map<String, String>> ended(AgentLog log, String source) throws IOException {
        return log.find(fields -> source.equals(fields.get("src.addr")) && "outbound".equals(fields.get("direction")));
    }

    AgentLog logFromNow(Question question) throws IOException {
        return AgentLog.fromNow(lab.agentLog(question.pod().node()));
    }

    private Map<String, Object> probe(Question question) throws IOException {
        var log = logFromNow(question);
        var probe = connect(question, "");
        var logged = logged(question, log, probe);
        var json = new LinkedHashMap<String, Object>();
        json.put("outcome", probe.open() ? "allowed" : "refused");
        json.put("detail", probe.detail());
        json.put("local", probe.local());
        json.put("code", logged.getOrDefault("code", ""));
        json.put("error", logged.getOrDefault("error", ""));
        json.put(
                "agrees",
                switch (question.explanation().answer()) {
                    case ALLOWED -> probe.open();
                    case REFUSED -> !probe.open();
                    case DEPENDS -> true; // one connection shows one of the branches
                });
        return json;
    }

    private static Map<String, Object> json(Question question) {
        var explanation = question.explanation();
        var json = new LinkedHashMap<String, Object>();
        json.put("verdict", explanation.answer().name().toLowerCase(Locale.ROOT));
        json.put("from", source(question));
        var to = new LinkedHashMap<String, Object>();
        to.put("asked", question.target().asked());
        to.put("how", question.target().how());
        to.put("address", Authority.text(question.target().address()));
        var service = explanation.service();
        to.put("service", service == null ? "" : service.key().toString());
        json.put("to", to);
        json.put(
                "candidates",
                explanation.candidates().stream().map(Explainer::candidate).toList());
        json.put(
                "branches",
                explanation.branches().stream()
                        .map(branch -> branch(question.mesh(), branch))
                        .toList());
        json.put(
                "changes",
                explanation.proposals().stream()
                        .map(proposal -> Map.of("steps", proposal.steps(), "edits", proposal.edits()))
                        .toList());
        return json;
    }

    private static Map<String, Object> source(Question question) {
        var source = question.source();
        var json = new LinkedHashMap<String, Object>();
        json.put("pod", name(source));
        json.put("node", source.node());
        json.put("identity", source.provableIdentity().map(Object::toString).orElse(""));
        json.put("captured", Passage.isCaptured(source));
        json.put("egress", source.egress().name());
        return json;
    }

    private static Map<String, Object> candidate(Explanation.Candidate candidate) {
        var json = new LinkedHashMap<String, Object>();
        json.put("pod", name(candidate.workload()));
        json.put("node", candidate.workload().node());
        json.put("share", candidate.share());
        json.put("reason", candidate.reason());
        return json;
    }

    private static Map<String, Object> branch(MeshSnapshot mesh, Explanation.Branch branch) {
        var passage = branch.passage();
        var json = new LinkedHashMap<String, Object>();
        json.put("share", branch.share());
        json.put("verdict", passage.allowed() ? "allowed" : "refused");
        json.put("outbound", outbound(passage));
        var target = passage.target();
        json.put("target", target == null ? "" : Authority.text(target));
        var inbound = passage.inbound();
        if (inbound != null) {
            json.put("inbound", inbound(mesh, inbound));
        }
        var refusal = passage.refusal();
        if (refusal != null) {
            json.put("code", refusal.code().name());
            json.put("refusedBy", refusal.bySource() ? "source" : "destination");
            json.put("reason", refusal.detail());
        }
        return json;
    }

    private static Map<String, Object> outbound(Passage passage) {
        var json = new LinkedHashMap<String, Object>();
        switch (passage.outbound()) {
            case null -> json.put("kind", "not captured");
            case OutboundRoute.Refused _ -> json.put("kind", "refused");
            case OutboundRoute.Plaintext plaintext -> {
                json.put("kind", "plaintext");
                json.put("target", Authority.text(plaintext.target()));
                json.put("lookup", lookup(plaintext.target()));
            }
            case OutboundRoute.Tunnel tunnel -> {
                json.put("kind", "tunnel");
                json.put("peer", Authority.text(tunnel.peer()));
                json.put("lookup", lookup(tunnel.peer()));
                json.put("pod", name(tunnel.destination()));
                json.put("node", tunnel.destination().node());
                json.put("via", tunnel.via().name().toLowerCase(Locale.ROOT).replace('_', ' '));
                json.put("authority", tunnel.authority());
                json.put(
                        "expectedIdentities",
                        tunnel.expectedIdentities().stream()
                                .map(Object::toString)
                                .sorted()
                                .toList());
            }
        }
        return json;
    }

    /// The host name that the agent has to look up before it can dial, "" if it knows the address.
    private static String lookup(InetSocketAddress target) {
        return target.isUnresolved() ? target.getHostString() : "";
    }

    private static Map<String, Object> inbound(MeshSnapshot mesh, Passage.Inbound inbound) {
        var json = new LinkedHashMap<String, Object>();
        var peer = inbound.attributes().peer();
        json.put("pod", name(inbound.local()));
        json.put("node", inbound.local().node());
        json.put("peer", peer == null ? "" : peer.toString());
        json.put("port", inbound.attributes().destinationPort());
        var policies = mesh.policiesFor(inbound.local());
        json.put(
                "policies",
                PolicyFindings.of(policies, inbound.attributes()).stream()
                        .map(finding -> policy(finding, inbound.verdict()))
                        .toList());
        json.put("unknownPolicies", policies.unknown());
        return json;
    }

    private static Map<String, Object> policy(PolicyFindings.Finding finding, Verdict verdict) {
        var policy = finding.policy();
        var json = new LinkedHashMap<String, Object>();
        json.put("name", policy.key());
        json.put("action", policy.action().name());
        json.put("scope", scope(policy));
        json.put("dryRun", policy.dryRun());
        json.put("ruleCount", policy.rules().size());
        json.put("matchingRules", finding.rules());
        json.put(
                "decided",
                switch (verdict) {
                    case Verdict.Allowed(var key) -> key.equals(policy.key());
                    case Verdict.Denied denied -> denied.policy().equals(policy.key());
                    case Verdict.NotMatched _, Verdict.Undecided _ -> false;
                });
        return json;
    }

    private static String scope(AuthorizationPolicy policy) {
        return switch (policy.scope()) {
            case GLOBAL -> "mesh";
            case NAMESPACE -> "namespace";
            case WORKLOAD_SELECTOR -> "selector";
        };
    }

    static String name(Workload workload) {
        return workload.namespace() + "/" + workload.name();
    }
}
