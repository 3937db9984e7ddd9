package io.loam.config;

import io.loam.config.object.AuthorizationPolicyObject;
import io.loam.config.object.AuthorizationPolicyObject.Action;
import io.loam.config.object.AuthorizationPolicyObject.Condition;
import io.loam.config.object.AuthorizationPolicyObject.Operation;
import io.loam.config.object.AuthorizationPolicyObject.Rule;
import io.loam.config.object.AuthorizationPolicyObject.Source;
import io.loam.config.object.AuthorizationPolicyObject.TargetRef;
import io.loam.config.object.ObjectMeta;
import io.loam.config.object.StringPatterns;
import io.loam.config.yaml.YamlMapping;
import io.loam.config.yaml.YamlScalar;
import io.loam.model.address.CidrBlock;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Reads AuthorizationPolicy. Whatever cannot be read rejects the whole policy: half a policy would allow or
/// deny something nobody wrote.
final class AuthorizationPolicyReader {
    private static final int MOST_TARGETS = 16;
    private static final String PRINCIPAL =
            "<trust domain>/ns/<namespace>/sa/<service account> without spiffe://, or with * at one end, or *";
    /// Of `<trust domain>/ns/<namespace>/sa/<service account>`; what is empty here is a name.
    private static final List<String> PRINCIPAL_PARTS = List.of("", "ns", "", "sa", "");

    private static final String NAME_PATTERN = "a name, or with * at one end, or *";
    private static final String NAMESPACE_CHARACTERS = "a-z 0-9 -";
    private static final String TRUST_DOMAIN_CHARACTERS = "a-z A-Z 0-9 . _ -";
    private static final String CIDR = "an IP address or CIDR block such as 10.0.0.0/8 or fd00::/8";
    /// The second wins.
    private static final List<String> DRY_RUN_ANNOTATIONS = List.of("istio.io/dry-run", "loam.io/dry-run");

    private static final Map<String, List<String>> TARGET_GROUPS = Map.of(
            "Gateway", List.of("gateway.networking.k8s.io"),
            "GatewayClass", List.of("gateway.networking.k8s.io"),
            "Service", List.of("", "core"),
            "ServiceEntry", List.of("networking.istio.io"));
    private static final Map<String, Action> ACTIONS = new TreeMap<>(
            Map.of("ALLOW", Action.ALLOW, "DENY", Action.DENY, "AUDIT", Action.AUDIT, "CUSTOM", Action.CUSTOM));
    private static final List<String> SOURCE_HTTP =
            List.of("requestPrincipals", "notRequestPrincipals", "remoteIpBlocks", "notRemoteIpBlocks");
    private static final Set<String> REMOTE_BLOCKS = Set.of("remoteIpBlocks", "notRemoteIpBlocks");
    private static final List<String> OPERATION_HTTP =
            List.of("hosts", "notHosts", "methods", "notMethods", "paths", "notPaths");
    private static final Set<String> HTTP_KEYS = Set.of(
            "remote.ip",
            "request.auth.principal",
            "request.auth.audiences",
            "request.auth.presenter",
            "connection.sni");
    private static final List<String> HTTP_KEY_PREFIXES =
            List.of("request.headers[", "request.auth.claims[", "experimental.envoy.filters.");

    private AuthorizationPolicyReader() {}

    static AuthorizationPolicyObject read(YamlMapping root) {
        var meta = MetadataReader.read(root, true);
        boolean dryRun = isDryRun(root);
        var spec = root.mapping("spec");
        if (spec == null) { // the same as `spec: {}`: nothing is allowed
            return new AuthorizationPolicyObject(meta, Map.of(), List.of(), Action.ALLOW, List.of(), dryRun);
        }
        var selector = Selectors.labelSelector(spec, "selector");
        var targets = targets(spec, meta);
        if (!targets.isEmpty() && !selector.isEmpty()) {
            spec.reject("selector", Selectors.shown(selector), "either selector or targetRefs", "");
        }
        var action = spec.oneOf("action", Action.ALLOW, ACTIONS);
        if (action == Action.CUSTOM ? !spec.has("provider") : spec.has("provider")) {
            spec.reject("provider", spec.describe("provider"), "a provider for action CUSTOM, and only for it", "");
        }
        var provider = spec.mapping("provider");
        if (provider != null) {
            var _ = provider.requiredText("name", "the name of a provider");
            provider.finish();
        }
        var written = spec.mappings("rules");
        if (written.isEmpty() && (action == Action.DENY || action == Action.CUSTOM)) {
            spec.reject("rules", spec.describe("rules"), "at least one rule for action " + action, "");
        }
        var rules = new ArrayList<Rule>();
        for (var rule : written) {
            rules.add(rule(rule, meta));
        }
        warnOfSplitRule(written, rules);
        spec.finish();
        return new AuthorizationPolicyObject(meta, selector, targets, action, rules, dryRun);
    }

    /// A policy that is meant to be tried and is enforced is an outage, and the other way round an open door:
    /// so nothing but the two words.
    private static boolean isDryRun(YamlMapping root) {
        var metadata = root.mapping("metadata");
        var annotations = metadata == null ? null : metadata.mapping("annotations");
        boolean dryRun = false;
        if (annotations != null) {
            for (var name : DRY_RUN_ANNOTATIONS) {
                var written = annotations.scalar(name);
                if (written != null
                        && !written.text().equals("true")
                        && !written.text().equals("false")) {
                    written.reject("true or false");
                } else if (written != null) {
                    dryRun = written.text().equals("true");
                }
            }
        }
        return dryRun;
    }

    /// `- from:` and `- to:` as two list items are two rules, and each of them is enough: nearly always meant
    /// as one.
    private static void warnOfSplitRule(List<YamlMapping> written, List<Rule> rules) {
        for (int i = 1; i < rules.size(); i++) {
            var before = rules.get(i - 1);
            var rule = rules.get(i);
            boolean onlyFrom = !before.from().isEmpty()
                    && before.to().isEmpty()
                    && before.when().isEmpty();
            if (onlyFrom && rule.from().isEmpty() && !rule.to().isEmpty()) {
                written.get(i)
                        .warn(
                                "to",
                                "a rule without from",
                                "from and to in one item of rules",
                                "as written, either of the two rules is enough");
            }
        }
    }

    private static List<TargetRef> targets(YamlMapping spec, ObjectMeta meta) {
        var written = new ArrayList<>(spec.mappings("targetRefs"));
        var single = spec.mapping("targetRef");
        if (single != null) {
            written.add(single);
        }
        if (written.size() > MOST_TARGETS) {
            spec.reject("targetRefs", "a list of " + written.size(), "at most " + MOST_TARGETS, "");
        }
        var targets = new ArrayList<TargetRef>();
        for (var target : written) {
            var group = target.text("group", "");
            var kind = target.requiredText("kind", "Gateway, GatewayClass, Service or ServiceEntry");
            var groups = TARGET_GROUPS.get(kind);
            if (groups == null && !kind.isEmpty()) {
                target.reject("kind", kind, "Gateway, GatewayClass, Service or ServiceEntry", "");
            } else if (groups != null && !groups.contains(group)) {
                target.reject("group", "\"" + group + "\"", "\"" + String.join("\" or \"", groups) + "\"", "");
            }
            var namespace = target.text("namespace", meta.namespace());
            if (!namespace.equals(meta.namespace())) {
                target.reject("namespace", namespace, meta.namespace() + ", the policy's own", "");
            }
            targets.add(new TargetRef(group, kind, target.requiredText("name", "the name of the target")));
            target.finish();
        }
        return targets;
    }

    private static Rule rule(YamlMapping rule, ObjectMeta meta) {
        var from = new ArrayList<Source>();
        for (var item : nonEmpty(rule, "from")) {
            var source = item.mapping("source");
            if (source == null) {
                if (!item.has("source")) {
                    item.missing("source", "a source with at least one field");
                }
            } else {
                from.add(source(source, meta));
            }
            item.finish();
        }
        var to = new ArrayList<Operation>();
        for (var item : nonEmpty(rule, "to")) {
            var operation = item.mapping("operation");
            if (operation == null) {
                if (!item.has("operation")) {
                    item.missing("operation", "an operation with at least one field");
                }
            } else {
                to.add(operation(operation));
            }
            item.finish();
        }
        var when = rule.mappings("when").stream()
                .map(condition -> condition(condition, meta))
                .toList();
        rule.finish();
        return new Rule(from, to, when);
    }

    /// `from: []` could be read as "nobody" and as "everybody", so it is refused.
    private static List<YamlMapping> nonEmpty(YamlMapping rule, String field) {
        var items = rule.mappings(field);
        if (items.isEmpty() && rule.has(field)) {
            rule.reject(field, rule.describe(field), "at least one item, or no " + field + " at all", "");
        }
        return items;
    }

    private static Source source(YamlMapping source, ObjectMeta meta) {
        refuseEmpty(source);
        if (source.has("serviceAccounts") && (source.has("principals") || source.has("namespaces"))) {
            source.reject(
                    "serviceAccounts",
                    source.describe("serviceAccounts"),
                    "serviceAccounts without principals and namespaces",
                    "");
        }
        var result = new Source(
                principals(source, "principals"),
                principals(source, "notPrincipals"),
                patterns(source, "namespaces", NAMESPACE_CHARACTERS),
                patterns(source, "notNamespaces", NAMESPACE_CHARACTERS),
                serviceAccounts(source, "serviceAccounts", meta),
                serviceAccounts(source, "notServiceAccounts", meta),
                blocks(source, "ipBlocks"),
                blocks(source, "notIpBlocks"),
                patterns(source, "trustDomains", TRUST_DOMAIN_CHARACTERS),
                patterns(source, "notTrustDomains", TRUST_DOMAIN_CHARACTERS),
                http(source, SOURCE_HTTP));
        source.finish();
        return result;
    }

    private static Operation operation(YamlMapping operation) {
        refuseEmpty(operation);
        var result =
                new Operation(ports(operation, "ports"), ports(operation, "notPorts"), http(operation, OPERATION_HTTP));
        operation.finish();
        return result;
    }

    private static void refuseEmpty(YamlMapping mapping) {
        if (mapping.names().stream().noneMatch(mapping::has)) {
            mapping.refuse("{}", "at least one field");
        }
        for (var name : mapping.names()) {
            if (mapping.isEmptyList(name)) {
                mapping.reject(name, "[]", "at least one value", "");
            }
        }
    }

    private static Condition condition(YamlMapping condition, ObjectMeta meta) {
        var key = condition.scalar("key");
        var values = condition.scalars("values");
        var notValues = condition.scalars("notValues");
        if (values.isEmpty() && notValues.isEmpty()) {
            condition.missing("values", "at least one of values and notValues");
        }
        if (key == null) {
            condition.missing("key", "an attribute such as source.ip");
        } else {
            for (var list : List.of(values, notValues)) {
                list.forEach(value -> check(key, value, meta));
            }
        }
        condition.finish();
        return new Condition(
                key == null ? "" : key.text(),
                values.stream().map(YamlScalar::text).toList(),
                notValues.stream().map(YamlScalar::text).toList());
    }

    private static void check(YamlScalar key, YamlScalar value, ObjectMeta meta) {
        switch (key.text()) {
            case "source.ip", "destination.ip" -> block(value);
            case "source.principal" -> principal(value);
            case "source.namespace" -> name(value, NAMESPACE_CHARACTERS);
            case "source.trustDomain" -> name(value, TRUST_DOMAIN_CHARACTERS);
            case "remote.ip" -> block(value);
            case "source.serviceAccount" -> serviceAccount(value, meta);
            case "destination.port" -> value.integer(1, 1, PodReader.LAST_PORT);
            default -> {
                boolean known = HTTP_KEYS.contains(key.text())
                        || HTTP_KEY_PREFIXES.stream()
                                .anyMatch(prefix -> key.text().startsWith(prefix));
                if (!known) {
                    key.reject("source.ip, source.namespace, source.principal, source.serviceAccount,"
                            + " source.trustDomain, destination.ip, destination.port, remote.ip, connection.sni,"
                            + " request.headers[…] or request.auth.…");
                } else if (value.text().isEmpty()) {
                    value.reject("a text");
                }
            }
        }
    }

    private static Map<String, List<String>> http(YamlMapping mapping, List<String> fields) {
        var http = new LinkedHashMap<String, List<String>>();
        for (var field : fields) {
            var values = mapping.scalars(field);
            for (var value : values) {
                if (value.text().isEmpty()) {
                    value.reject("a text");
                } else if (REMOTE_BLOCKS.contains(field)) {
                    block(value);
                }
            }
            if (!values.isEmpty()) {
                http.put(field, values.stream().map(YamlScalar::text).toList());
            }
        }
        return http;
    }

    private static List<StringMatch> principals(YamlMapping source, String field) {
        return source.scalars(field).stream()
                .map(AuthorizationPolicyReader::principal)
                .toList();
    }

    private static StringMatch principal(YamlScalar value) {
        var match = pattern(value, PRINCIPAL);
        boolean readable = switch (match) {
            case StringMatch.Exact(String text) ->
                text.isEmpty() || SpiffeId.parse("spiffe://" + text).isPresent();
            case StringMatch.Prefix(String text) -> fits(text, Pattern.BEGINNING);
            case StringMatch.Suffix(String text) -> fits(text, Pattern.END);
            case StringMatch.Presence _ -> true;
        };
        if (!readable) {
            value.reject(PRINCIPAL);
        }
        return match;
    }

    /// Whether some principal begins (or ends) like this: what never matches is not what its author meant.
    private static boolean fits(String text, Pattern pattern) {
        var parts = List.of(text.split("/", -1));
        if (parts.size() > PRINCIPAL_PARTS.size()) {
            return false;
        }
        int shift = pattern == Pattern.END ? PRINCIPAL_PARTS.size() - parts.size() : 0;
        int cut = pattern == Pattern.END ? 0 : parts.size() - 1; // the part that may go on beyond the star
        for (int i = 0; i < parts.size(); i++) {
            var part = parts.get(i);
            var fixed = PRINCIPAL_PARTS.get(i + shift);
            boolean fits = fixed.isEmpty()
                    ? hasOnly(part, TRUST_DOMAIN_CHARACTERS) && (i == cut || !part.isEmpty())
                    : i != cut
                            ? part.equals(fixed)
                            : pattern == Pattern.END ? fixed.endsWith(part) : fixed.startsWith(part);
            if (!fits) {
                return false;
            }
        }
        return true;
    }

    private enum Pattern {
        BEGINNING,
        END
    }

    private static List<StringMatch> patterns(YamlMapping source, String field, String characters) {
        return source.scalars(field).stream()
                .map(value -> name(value, characters))
                .toList();
    }

    private static StringMatch name(YamlScalar value, String characters) {
        var expected = NAME_PATTERN + ", of " + characters;
        var match = pattern(value, expected);
        boolean readable = switch (match) {
            case StringMatch.Exact(String text) -> text.indexOf('*') >= 0 || hasOnly(text, characters);
            case StringMatch.Prefix(String text) -> text.indexOf('*') >= 0 || hasOnly(text, characters);
            case StringMatch.Suffix(String text) -> text.indexOf('*') >= 0 || hasOnly(text, characters);
            case StringMatch.Presence _ -> true;
        };
        if (!readable) {
            value.reject(expected);
        }
        return match;
    }

    /// @param characters as in messages: single ones and ranges, with blanks between them
    private static boolean hasOnly(String text, String characters) {
        return text.chars()
                .allMatch(c -> Stream.of(characters.split(" "))
                        .anyMatch(range -> c >= range.charAt(0) && c <= range.charAt(range.length() - 1)));
    }

    /// `*`, `x*`, `*x` or an exact text (wire reference, 7.3). A star anywhere else would be compared literally
    /// and so never match, which nobody means.
    private static StringMatch pattern(YamlScalar value, String expected) {
        var match = StringPatterns.parse(value.text());
        boolean starInside = switch (match) {
            case StringMatch.Exact(String text) -> text.indexOf('*') >= 0;
            case StringMatch.Prefix(String text) -> text.indexOf('*') >= 0;
            case StringMatch.Suffix(String text) -> text.indexOf('*') >= 0;
            case StringMatch.Presence _ -> false;
        };
        if (starInside || value.text().isEmpty()) {
            value.reject(expected);
        }
        return match;
    }

    private static List<ServiceAccountMatch> serviceAccounts(YamlMapping source, String field, ObjectMeta meta) {
        var result = new ArrayList<ServiceAccountMatch>();
        for (var value : source.scalars(field)) {
            var match = serviceAccount(value, meta);
            if (match != null) {
                result.add(match);
            }
        }
        return result;
    }

    private static @Nullable ServiceAccountMatch serviceAccount(YamlScalar value, ObjectMeta meta) {
        var match = StringPatterns.serviceAccount(value.text(), meta.namespace());
        if (!Names.isLabel(match.namespace()) || !Names.isSubdomain(match.serviceAccount())) {
            value.reject("<namespace>/<service account>, or a service account of the policy's namespace");
            return null;
        }
        return match;
    }

    private static List<CidrBlock> blocks(YamlMapping source, String field) {
        var blocks = new ArrayList<CidrBlock>();
        for (var value : source.scalars(field)) {
            var block = block(value);
            if (block != null) {
                blocks.add(block);
            }
        }
        return blocks;
    }

    private static @Nullable CidrBlock block(YamlScalar value) {
        try {
            return CidrBlock.parse(value.text());
        } catch (IllegalArgumentException _) {
            value.reject(CIDR);
            return null;
        }
    }

    private static Set<Integer> ports(YamlMapping operation, String field) {
        var ports = new HashSet<Integer>();
        for (var value : operation.scalars(field)) {
            ports.add(value.integer(1, 1, PodReader.LAST_PORT));
        }
        return ports;
    }
}
