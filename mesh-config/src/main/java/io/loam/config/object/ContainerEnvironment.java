package io.loam.config.object;

import io.loam.config.object.ContainerSpec.EnvVar;
import io.loam.config.object.ContainerSpec.EnvVar.FieldRef;
import io.loam.config.object.ContainerSpec.EnvVar.Literal;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/// The environment of a container and the `$(VAR)` references in its command, by the rules of Kubernetes: `$$` stands
/// for `$`, a reference to a variable that is not defined (or defined further down) stays as it is written.
public final class ContainerEnvironment {
    private final Map<String, String> variables;

    private ContainerEnvironment(Map<String, String> variables) {
        this.variables = Collections.unmodifiableMap(variables);
    }

    /// @param inherited variables that references may use and that `env` overrides (those of services)
    public static ContainerEnvironment of(List<EnvVar> env, PodFacts pod, Map<String, String> inherited) {
        var variables = new LinkedHashMap<>(inherited);
        for (var variable : env) {
            var value = switch (variable.value()) {
                case Literal(String text) -> expand(text, variables);
                case FieldRef(String path) -> pod.field(path);
            };
            variables.put(variable.name(), value);
        }
        return new ContainerEnvironment(variables);
    }

    /// In the order they were defined.
    public Map<String, String> variables() {
        return variables;
    }

    /// A command or its arguments with all references replaced.
    public List<String> expand(List<String> words) {
        return words.stream().map(word -> expand(word, variables)).toList();
    }

    static String expand(String text, Map<String, String> variables) {
        if (text.indexOf('$') < 0) {
            return text;
        }
        var out = new StringBuilder(text.length());
        int i = 0;
        while (i < text.length()) {
            char c = text.charAt(i);
            char next = i + 1 < text.length() ? text.charAt(i + 1) : 0;
            int close = c == '$' && next == '(' ? text.indexOf(')', i + 2) : -1;
            if (c == '$' && next == '$') {
                out.append('$');
                i += 2;
            } else if (close >= 0) {
                var value = variables.get(text.substring(i + 2, close));
                out.append(value != null ? value : text.substring(i, close + 1));
                i = close + 1;
            } else {
                out.append(c);
                i++;
            }
        }
        return out.toString();
    }

    /// What `valueFrom.fieldRef` can ask for.
    ///
    /// @param podIps first the one of the pod's first family; empty until it has its network
    public record PodFacts(PodObject pod, String uid, String nodeName, List<String> podIps, List<String> hostIps) {
        private static final Map<String, Function<PodFacts, String>> FIELDS = Map.of(
                "metadata.name", facts -> facts.pod.meta().name(),
                "metadata.namespace", facts -> facts.pod.meta().namespace(),
                "metadata.uid", PodFacts::uid,
                "spec.nodeName", PodFacts::nodeName,
                "spec.serviceAccountName", facts -> facts.pod.spec().serviceAccountName(),
                "status.podIP", facts -> first(facts.podIps),
                "status.podIPs", facts -> String.join(",", facts.podIps),
                "status.hostIP", facts -> first(facts.hostIps),
                "status.hostIPs", facts -> String.join(",", facts.hostIps));
        private static final String LABEL = "metadata.labels['";
        private static final String ANNOTATION = "metadata.annotations['";

        public PodFacts {
            podIps = List.copyOf(podIps);
            hostIps = List.copyOf(hostIps);
        }

        /// Whether {@link #field} knows the path.
        public static boolean isField(String path) {
            return FIELDS.containsKey(path)
                    || (path.endsWith("']") && (path.startsWith(LABEL) || path.startsWith(ANNOTATION)));
        }

        /// For messages.
        public static String fieldNames() {
            return FIELDS.keySet().stream().sorted().collect(Collectors.joining(", "))
                    + ", metadata.labels['<key>'] or metadata.annotations['<key>']";
        }

        /// @throws IllegalArgumentException if `path` is none of {@link #fieldNames}
        String field(String path) {
            var known = FIELDS.get(path);
            if (known != null) {
                return known.apply(this);
            }
            if (isField(path)) {
                var labels = path.startsWith(LABEL);
                var key = path.substring((labels ? LABEL : ANNOTATION).length(), path.length() - 2);
                var values = labels ? pod.meta().labels() : pod.meta().annotations();
                return values.getOrDefault(key, "");
            }
            throw new IllegalArgumentException("fieldPath: " + path + " (expected: " + fieldNames() + ")");
        }

        private static String first(List<String> values) {
            return values.isEmpty() ? "" : values.getFirst();
        }
    }
}
