package io.loam.config.object;

/// One document a user wrote, checked on its own: values are in range, names are names. What only shows together with
/// other documents is found by `io.loam.config.check.MeshChecks`.
public sealed interface MeshObject
        permits NodeObject,
                NamespaceObject,
                ServiceAccountObject,
                PodObject,
                DeploymentObject,
                ServiceObject,
                ServiceEntryObject,
                WorkloadEntryObject,
                GatewayObject,
                SidecarObject,
                MeshConfigObject,
                AuthorizationPolicyObject,
                PeerAuthenticationObject {
    ObjectMeta meta();

    default ObjectKey key() {
        return new ObjectKey(kind(), meta().namespace(), meta().name());
    }

    /// The kind as users write it.
    default String kind() {
        return switch (this) {
            case NodeObject _ -> "Node";
            case NamespaceObject _ -> "Namespace";
            case ServiceAccountObject _ -> "ServiceAccount";
            case PodObject _ -> "Pod";
            case DeploymentObject _ -> "Deployment";
            case ServiceObject _ -> "Service";
            case ServiceEntryObject _ -> "ServiceEntry";
            case WorkloadEntryObject _ -> "WorkloadEntry";
            case GatewayObject _ -> "Gateway";
            case SidecarObject _ -> "Sidecar";
            case MeshConfigObject settings -> settings.kind();
            case AuthorizationPolicyObject _ -> "AuthorizationPolicy";
            case PeerAuthenticationObject _ -> "PeerAuthentication";
        };
    }
}
