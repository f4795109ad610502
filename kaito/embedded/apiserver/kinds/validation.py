"""Validation of built-in objects, in the words of the real server."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.metadata_rules import MetadataRules, metadata_rules, name_check
from kaito.embedded.apiserver.kinds.model import Cause, Kind
from kaito.embedded.apiserver.kinds.object_meta import validate_object_meta, validate_object_meta_update
from kaito.embedded.apiserver.kinds.validating import (
    access,
    autoscaling,
    cluster,
    configuration,
    drivers,
    events,
    jobs,
    limits,
    networking,
    pod_subresources,
    pods,
    services,
    signing,
    statuses,
    storage,
    workloads,
)
from kaito.embedded.apiserver.structural import definitions

Json = dict[str, Any]
Validator = Callable[[Json], list[Cause]]
UpdateValidator = Callable[[Json, Json], list[Cause]]

__all__ = ["validate_create", "validate_object_meta", "validate_object_meta_update", "validate_update"]

CREATE: Final[dict[tuple[str, str], Validator]] = {
    ("", "ConfigMap"): configuration.check_config_map,
    ("", "Endpoints"): services.check_endpoints,
    ("", "Event"): events.check_event,
    ("", "LimitRange"): limits.check_limit_range,
    ("", "Namespace"): lambda _: [],
    ("", "Node"): cluster.check_node,
    ("", "PersistentVolume"): storage.check_volume,
    ("", "PersistentVolumeClaim"): storage.check_claim,
    ("", "Pod"): pods.check_pod_create,
    ("", "PodTemplate"): lambda obj: pods.check_template(obj.get("template") or {}, "template"),
    ("", "ReplicationController"): workloads.check_replication_controller,
    ("", "ResourceQuota"): limits.check_resource_quota,
    ("", "Secret"): configuration.check_secret,
    ("", "Service"): services.check_service,
    ("", "ServiceAccount"): lambda _: [],
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definitions.check_crd,
    ("apps", "ControllerRevision"): workloads.check_controller_revision,
    ("apps", "DaemonSet"): workloads.check_daemon_set,
    ("apps", "Deployment"): workloads.check_deployment,
    ("apps", "ReplicaSet"): workloads.check_replica_set,
    ("apps", "StatefulSet"): workloads.check_stateful_set,
    ("autoscaling", "HorizontalPodAutoscaler"): autoscaling.check_autoscaler,
    ("batch", "CronJob"): jobs.check_cron_job,
    ("batch", "Job"): jobs.check_job,
    ("certificates.k8s.io", "CertificateSigningRequest"): signing.check_request,
    ("coordination.k8s.io", "Lease"): cluster.check_lease,
    ("discovery.k8s.io", "EndpointSlice"): services.check_endpoint_slice,
    ("events.k8s.io", "Event"): events.check_new_event,
    ("networking.k8s.io", "Ingress"): networking.check_ingress_create,
    ("networking.k8s.io", "IngressClass"): networking.check_ingress_class,
    ("networking.k8s.io", "NetworkPolicy"): networking.check_network_policy,
    ("node.k8s.io", "RuntimeClass"): cluster.check_runtime_class,
    ("policy", "PodDisruptionBudget"): workloads.check_budget,
    ("rbac.authorization.k8s.io", "ClusterRole"): access.check_cluster_role,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): access.check_cluster_role_binding,
    ("rbac.authorization.k8s.io", "Role"): access.check_role,
    ("rbac.authorization.k8s.io", "RoleBinding"): access.check_role_binding,
    ("scheduling.k8s.io", "PriorityClass"): access.check_priority_class,
    ("storage.k8s.io", "CSIDriver"): drivers.check_csi_driver,
    ("storage.k8s.io", "CSINode"): drivers.check_csi_node,
    ("storage.k8s.io", "CSIStorageCapacity"): drivers.check_capacity,
    ("storage.k8s.io", "StorageClass"): storage.check_storage_class,
    ("storage.k8s.io", "VolumeAttachment"): drivers.check_attachment_create,
    ("storage.k8s.io", "VolumeAttributesClass"): drivers.check_attributes_class,
}
# What an update is checked for beside what every object of the kind is checked for.
UPDATE: Final[dict[tuple[str, str], UpdateValidator]] = {
    ("", "ConfigMap"): configuration.check_config_map_update,
    ("", "Node"): cluster.check_node_update,
    ("", "PersistentVolume"): storage.check_volume_update,
    ("", "PersistentVolumeClaim"): storage.check_claim_update,
    ("", "Pod"): pods.check_pod_update,
    ("", "Secret"): configuration.check_secret_update,
    ("", "Service"): services.check_service_update,
    ("", "ResourceQuota"): limits.check_resource_quota_update,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definitions.check_crd_update,
    ("apps", "ControllerRevision"): workloads.check_controller_revision_update,
    ("apps", "DaemonSet"): workloads.check_selector_kept,
    ("apps", "Deployment"): workloads.check_selector_kept,
    ("apps", "ReplicaSet"): workloads.check_selector_kept,
    ("apps", "StatefulSet"): workloads.check_stateful_set_update,
    ("batch", "Job"): jobs.check_job_update,
    ("discovery.k8s.io", "EndpointSlice"): services.check_endpoint_slice_update,
    ("networking.k8s.io", "IngressClass"): networking.check_ingress_class_update,
    ("events.k8s.io", "Event"): events.check_new_event_update,
    ("node.k8s.io", "RuntimeClass"): cluster.check_runtime_class_update,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): access.check_binding_update,
    ("rbac.authorization.k8s.io", "RoleBinding"): access.check_binding_update,
    ("scheduling.k8s.io", "PriorityClass"): access.check_priority_class_update,
    ("storage.k8s.io", "CSIDriver"): drivers.check_csi_driver_update,
    ("storage.k8s.io", "CSINode"): drivers.check_csi_node_update,
    ("storage.k8s.io", "CSIStorageCapacity"): drivers.check_capacity_update,
    ("storage.k8s.io", "StorageClass"): storage.check_storage_class_update,
    ("storage.k8s.io", "VolumeAttachment"): drivers.check_attachment_update,
    ("storage.k8s.io", "VolumeAttributesClass"): drivers.check_attributes_class_update,
}
# What an update checks twice, though metadata once.
REPEATING: Final = frozenset({("", "ReplicationController"), ("networking.k8s.io", "NetworkPolicy")})
# What an update checks again, where that is less than what a create checks.
REPEATED: Final[dict[tuple[str, str], Validator]] = {
    ("", "Pod"): pods.check_pod,
    ("events.k8s.io", "Event"): events.check_event,
    ("networking.k8s.io", "Ingress"): networking.check_ingress,
    ("storage.k8s.io", "VolumeAttachment"): drivers.check_attachment,
    ("apps", "StatefulSet"): functools.partial(workloads.check_stateful_set, updating=True),
}
# Update validation of these does not repeat what a create is checked for.
UPDATE_ONLY: Final = frozenset({("apps", "ControllerRevision"), ("", "Node"), ("scheduling.k8s.io", "PriorityClass")})


def validate_create(kind: Kind, obj: Json) -> list[Cause]:
    """Everything wrong with a new object: its metadata, then its fields, in the real order.

    Expects a decoded, defaulted and prepared object. Kinds without checks of their own get those of metadata.
    """
    rules, causes = metadata_rules(kind, ""), list[Cause]()
    if rules.created:
        causes = _whole(kind, obj, rules)
    check = CREATE.get((kind.group, kind.kind))
    causes += check(obj) if check else []
    return causes or _common(kind, obj)


def _common(kind: Kind, obj: Json) -> list[Cause]:
    """What the registry checks of every kind."""
    return validate_object_meta(obj, namespaced=kind.namespaced, check=names.path_segment, standard=False)


def _whole(kind: Kind, obj: Json, rules: MetadataRules) -> list[Cause]:
    check = name_check(kind, obj)
    return validate_object_meta(obj, namespaced=kind.namespaced, check=check, standard=rules.standard)


SUBRESOURCE: Final[dict[tuple[str, str, str], Callable[[Json, Json], list[Cause]]]] = {
    ("", "Namespace", "finalize"): lambda new, old: cluster.check_namespace_finalizers(new),
    ("", "Pod", "ephemeralcontainers"): lambda new, old: (
        pods.check_pod(new) + pod_subresources.check_ephemeral_update(new, old)
    ),
    ("", "Pod", "resize"): lambda new, old: pods.check_pod(new) + pod_subresources.check_resize(new, old),
}


def validate_update(kind: Kind, new: Json, old: Json, subresource: str = "") -> list[Cause]:
    """Everything wrong with an update; duplicates are the real server's (it validates metadata in several places)."""
    rules, place = metadata_rules(kind, subresource), (kind.group, kind.kind)
    causes = _common(kind, new) + validate_object_meta_update(new, old)
    for _ in range(rules.changes):
        causes += validate_object_meta_update(new, old, standard=rules.standard)
    if kind.kind == "CertificateSigningRequest":
        causes += signing.check_request_update(new, old, subresource)
    elif subresource not in ("", "scale"):
        for _ in range(rules.wholes):
            causes += _whole(kind, new, rules)
        if subresource == "status":
            return causes + statuses.check_status(kind, new, old)
        check = SUBRESOURCE.get((*place, subresource))
        return causes + (check(new, old) if check is not None else [])
    create, update = CREATE.get(place), UPDATE.get(place)
    for _ in range(rules.wholes):
        causes += _whole(kind, new, rules)
    for _ in range(2 if place in REPEATING else max(1, rules.wholes)):
        if create is not None and place not in UPDATE_ONLY:
            causes += REPEATED.get(place, create)(new)
    return causes + (update(new, old) if update is not None else [])
