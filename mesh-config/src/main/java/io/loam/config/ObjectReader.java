package io.loam.config;

import io.loam.config.object.MeshObject;
import io.loam.config.object.NamespaceObject;
import io.loam.config.object.NodeObject;
import io.loam.config.object.ObjectKey;
import io.loam.config.object.ServiceAccountObject;
import io.loam.config.object.ServiceObject.TrafficDistribution;
import io.loam.config.yaml.DocumentLog;
import io.loam.config.yaml.Words;
import io.loam.config.yaml.YamlDocument;
import io.loam.config.yaml.YamlMapping;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Reads one document of a kind that is known by API group and kind together: several projects use the same names.
final class ObjectReader {
    private enum Api {
        CORE,
        APPS,
        SECURITY,
        NETWORKING,
        GATEWAY,
        INSTALL;

        List<String> groups() {
            return switch (this) {
                case CORE -> List.of("");
                case APPS -> List.of("apps");
                case SECURITY -> List.of("security.istio.io", "security.loam.io");
                case NETWORKING -> List.of("networking.istio.io", "networking.loam.io");
                case GATEWAY -> List.of("gateway.networking.k8s.io");
                case INSTALL -> List.of("install.istio.io");
            };
        }

        List<String> versions() {
            return switch (this) {
                case CORE, APPS -> List.of("v1");
                case SECURITY, GATEWAY -> List.of("v1", "v1beta1");
                case NETWORKING -> List.of("v1", "v1beta1", "v1alpha3");
                case INSTALL -> List.of("v1alpha1");
            };
        }
    }

    private enum Kind {
        NODE("Node", Api.CORE, false),
        NAMESPACE("Namespace", Api.CORE, false),
        SERVICE_ACCOUNT("ServiceAccount", Api.CORE, true),
        POD("Pod", Api.CORE, true),
        DEPLOYMENT("Deployment", Api.APPS, true),
        SERVICE("Service", Api.CORE, true),
        SERVICE_ENTRY("ServiceEntry", Api.NETWORKING, true),
        WORKLOAD_ENTRY("WorkloadEntry", Api.NETWORKING, true),
        GATEWAY("Gateway", Api.GATEWAY, true),
        SIDECAR("Sidecar", Api.NETWORKING, true),
        CONFIG_MAP("ConfigMap", Api.CORE, true),
        ISTIO_OPERATOR("IstioOperator", Api.INSTALL, true),
        AUTHORIZATION_POLICY("AuthorizationPolicy", Api.SECURITY, true),
        PEER_AUTHENTICATION("PeerAuthentication", Api.SECURITY, true);

        private final String title;
        private final Api api;
        private final boolean namespaced;

        Kind(String title, Api api, boolean namespaced) {
            this.title = title;
            this.api = api;
            this.namespaced = namespaced;
        }
    }

    private ObjectReader() {}

    /// What one document came to.
    sealed interface Outcome {}

    record Read(MeshObject object) implements Outcome {}

    /// @param key null where not even the name can be read
    record Refused(@Nullable ObjectKey key) implements Outcome {}

    /// A document of a kind nobody reads here.
    record Skipped() implements Outcome {}

    /// A `kind: List`.
    record Several(List<YamlDocument> items) implements Outcome {}

    static Outcome read(YamlMapping root, DocumentLog log) {
        var kindName = root.text("kind", "");
        var apiVersion = root.text("apiVersion", "");
        int slash = apiVersion.indexOf('/');
        var group = slash < 0 ? "" : apiVersion.substring(0, slash);
        var version = apiVersion.substring(slash + 1);
        if (kindName.equals("List") && group.isEmpty()) {
            root.ignore("metadata");
            var items = root.documents("items");
            root.finish();
            return new Several(items);
        }
        var kind = Arrays.stream(Kind.values())
                .filter(known -> known.title.equals(kindName))
                .findFirst()
                .orElse(null);
        var key = key(root, kindName, kind == null || kind.namespaced);
        log.about(key == null ? kindName : key.toString());
        if (kindName.isEmpty()) {
            root.missing("kind", kinds());
            return new Refused(null);
        }
        if (apiVersion.isEmpty() && kind != null) {
            root.missing("apiVersion", apiVersions(kind));
            return new Refused(key);
        }
        if (kind == null) {
            root.warn("kind", DocumentLog.shown(kindName), kinds(), "ignored");
            return new Skipped();
        }
        if (!kind.api.groups().contains(group)) {
            root.warn("apiVersion", DocumentLog.shown(apiVersion), apiVersions(kind), "ignored");
            return new Skipped();
        }
        if (!kind.api.versions().contains(version)) {
            root.warn("apiVersion", DocumentLog.shown(apiVersion), apiVersions(kind), "read as if it were");
        }
        root.ignore("status");
        var object = read(kind, root);
        root.finish();
        if (object == null && kind == Kind.CONFIG_MAP && !log.rejected()) {
            return new Skipped(); // it is the application's
        }
        return object == null || log.rejected() ? new Refused(key) : new Read(object);
    }

    private static @Nullable MeshObject read(Kind kind, YamlMapping root) {
        return switch (kind) {
            case NODE -> node(root);
            case NAMESPACE -> namespace(root);
            case SERVICE_ACCOUNT -> serviceAccount(root);
            case POD -> PodReader.read(root);
            case DEPLOYMENT -> DeploymentReader.read(root);
            case SERVICE -> ServiceReader.read(root);
            case SERVICE_ENTRY -> ServiceEntryReader.read(root);
            case WORKLOAD_ENTRY -> WorkloadEntryReader.read(root);
            case GATEWAY -> GatewayReader.read(root);
            case SIDECAR -> EgressReader.sidecar(root);
            case CONFIG_MAP -> EgressReader.configMap(root);
            case ISTIO_OPERATOR -> EgressReader.operator(root);
            case AUTHORIZATION_POLICY -> AuthorizationPolicyReader.read(root);
            case PEER_AUTHENTICATION -> PeerAuthenticationReader.read(root);
        };
    }

    private static NodeObject node(YamlMapping root) {
        var meta = MetadataReader.read(root, false);
        var spec = root.mapping("spec");
        boolean unschedulable = false;
        if (spec != null) {
            unschedulable = spec.flag("unschedulable", false);
            spec.ignore("podCIDR", "podCIDRs", "providerID", "externalID");
            spec.withoutEffect("without effect", "taints", "configSource");
            spec.finish();
        }
        return new NodeObject(meta, unschedulable);
    }

    private static NamespaceObject namespace(YamlMapping root) {
        root.ignore("spec");
        var meta = MetadataReader.read(root, false);
        if (!meta.name().isEmpty() && !Names.isLabel(meta.name())) {
            root.reject("metadata", meta.name(), Names.LABEL, "");
        }
        var metadata = root.mapping("metadata");
        var annotation =
                metadata == null ? null : metadata.scalarMap("annotations").get(TrafficDistribution.ANNOTATION);
        if (annotation != null && TrafficDistribution.parse(annotation.text()).isEmpty()) {
            annotation.warn("Any, PreferClose, PreferSameNode or PreferSameZone", "no preference");
        }
        return new NamespaceObject(meta);
    }

    private static ServiceAccountObject serviceAccount(YamlMapping root) {
        root.ignore("automountServiceAccountToken", "secrets", "imagePullSecrets");
        return new ServiceAccountObject(MetadataReader.read(root, true));
    }

    /// The name as far as it can be read before anything is checked, for messages and for keeping the last good
    /// version.
    private static @Nullable ObjectKey key(YamlMapping root, String kind, boolean namespaced) {
        if (!root.isMapping("metadata")) {
            return null;
        }
        var metadata = root.mapping("metadata");
        if (metadata == null || !metadata.isScalar("name")) {
            return null;
        }
        var namespace = metadata.isScalar("namespace")
                ? metadata.text("namespace", MetadataReader.DEFAULT_NAMESPACE)
                : MetadataReader.DEFAULT_NAMESPACE;
        return new ObjectKey(
                DocumentLog.shown(kind),
                namespaced ? DocumentLog.shown(namespace) : "",
                DocumentLog.shown(metadata.text("name", "")));
    }

    private static String kinds() {
        return Words.or(Arrays.stream(Kind.values()).map(kind -> kind.title).toList());
    }

    private static String apiVersions(Kind kind) {
        var versions = kind.api.groups().stream()
                .flatMap(group ->
                        kind.api.versions().stream().map(version -> group.isEmpty() ? version : group + "/" + version))
                .toList();
        return Words.or(versions);
    }
}
