"""Small facts about single kinds that the generic registry asks for: from each kind's strategy in pkg/registry."""

from __future__ import annotations

from kaito.embedded.apiserver.errors import GroupResource


def _resources(*names: str) -> frozenset[GroupResource]:
    return frozenset(GroupResource(*reversed(name.partition(".")[::2])) for name in names)


UPDATED_BLINDLY = _resources(
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "services",
    "controllerrevisions.apps",
    "daemonsets.apps",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "events.events.k8s.io",
    "horizontalpodautoscalers.autoscaling",
    "cronjobs.batch",
    "jobs.batch",
    "certificatesigningrequests.certificates.k8s.io",
    "endpointslices.discovery.k8s.io",
    "ingressclasses.networking.k8s.io",
    "ingresses.networking.k8s.io",
    "networkpolicies.networking.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "priorityclasses.scheduling.k8s.io",
    "storageclasses.storage.k8s.io",
    "volumeattributesclasses.storage.k8s.io",
    "ipaddresses.networking.k8s.io",
    "servicecidrs.networking.k8s.io",
    "deviceclasses.resource.k8s.io",
    "resourceclaims.resource.k8s.io",
    "resourceclaimtemplates.resource.k8s.io",
    "resourceslices.resource.k8s.io",
    "flowschemas.flowcontrol.apiserver.k8s.io",
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
)
"""A PUT without resourceVersion overwrites what is there (AllowUnconditionalUpdate)."""

CREATED_BY_PUT = _resources(
    "endpoints",
    "events",
    "limitranges",
    "services",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "runtimeclasses.node.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
)
"""A PUT to a free name creates (AllowCreateOnUpdate)."""

RETURNS_DELETED = _resources(
    "namespaces",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "resourcequotas",
    "serviceaccounts",
    "services",
    "storageclasses.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
    "volumeattributesclasses.storage.k8s.io",
    "csidrivers.storage.k8s.io",
    "csinodes.storage.k8s.io",
    "deviceclasses.resource.k8s.io",
    "resourceclaims.resource.k8s.io",
    "resourceclaimtemplates.resource.k8s.io",
    "resourceslices.resource.k8s.io",
)
"""A deletion answers with the object, others with a Status (ReturnDeletedObject)."""

ORPHANS_BY_DEFAULT = _resources("replicationcontrollers", "jobs.batch")
"""A deletion that names no policy leaves the dependents behind (DefaultGarbageCollectionPolicy of the v1 kinds)."""

NOT_COLLECTED = _resources("events", "events.events.k8s.io")
"""Garbage collection does not concern these (GarbageCollectionPolicy Unsupported)."""

IMMORTAL_NAMESPACES = frozenset(("default", "kube-system", "kube-public"))
"""Namespaces that admission does not let anybody delete."""
