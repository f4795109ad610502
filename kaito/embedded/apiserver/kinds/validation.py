"""Validation of built-in objects, in the words of the real server."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import invalid
from kaito.embedded.apiserver.kinds.model import Cause, Kind
from kaito.embedded.apiserver.kinds.names import Check
from kaito.embedded.apiserver.kinds.object_meta import validate_object_meta, validate_object_meta_update
from kaito.embedded.apiserver.kinds.validating import (
    access,
    cluster,
    configuration,
    jobs,
    pods,
    services,
    storage,
    workloads,
)
from kaito.embedded.apiserver.structural import definitions

Json = dict[str, Any]
Validator = Callable[[Json], list[Cause]]
UpdateValidator = Callable[[Json, Json], list[Cause]]

__all__ = ["validate_create", "validate_object_meta", "validate_object_meta_update", "validate_update"]


def _no_dots(value: str) -> list[str]:
    return ["must not contain dots"] if "." in value and not names.subdomain(value) else names.label(value)


# Names are DNS subdomains except for these.
NAME_CHECKS: Final[dict[str, Check]] = {
    "Namespace": _no_dots,
    "Service": names.label_1035,
    "StatefulSet": _no_dots,
    "Role": names.path_segment,
    "RoleBinding": names.path_segment,
    "ClusterRole": names.path_segment,
    "ClusterRoleBinding": names.path_segment,
    "APIService": names.path_segment,
    "Event": names.path_segment,
}

CREATE: Final[dict[tuple[str, str], Validator]] = {
    ("", "ConfigMap"): configuration.check_config_map,
    ("", "Endpoints"): services.check_endpoints,
    ("", "Event"): cluster.check_event,
    ("", "LimitRange"): cluster.check_limit_range,
    ("", "Namespace"): lambda _: [],
    ("", "Node"): cluster.check_node,
    ("", "PersistentVolume"): storage.check_volume,
    ("", "PersistentVolumeClaim"): storage.check_claim,
    ("", "Pod"): pods.check_pod_create,
    ("", "PodTemplate"): lambda obj: pods.check_template(obj.get("template") or {}, "template"),
    ("", "ResourceQuota"): cluster.check_resource_quota,
    ("", "Secret"): configuration.check_secret,
    ("", "Service"): services.check_service,
    ("", "ServiceAccount"): lambda _: [],
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definitions.check_crd,
    ("apps", "ControllerRevision"): workloads.check_controller_revision,
    ("apps", "DaemonSet"): workloads.check_daemon_set,
    ("apps", "Deployment"): workloads.check_deployment,
    ("apps", "ReplicaSet"): workloads.check_replica_set,
    ("apps", "StatefulSet"): workloads.check_stateful_set,
    ("batch", "CronJob"): jobs.check_cron_job,
    ("batch", "Job"): jobs.check_job,
    ("coordination.k8s.io", "Lease"): cluster.check_lease,
    ("discovery.k8s.io", "EndpointSlice"): services.check_endpoint_slice,
    ("events.k8s.io", "Event"): cluster.check_new_event,
    ("networking.k8s.io", "Ingress"): cluster.check_ingress,
    ("networking.k8s.io", "NetworkPolicy"): cluster.check_network_policy,
    ("node.k8s.io", "RuntimeClass"): cluster.check_runtime_class,
    ("policy", "PodDisruptionBudget"): workloads.check_budget,
    ("rbac.authorization.k8s.io", "ClusterRole"): access.check_cluster_role,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): access.check_cluster_role_binding,
    ("rbac.authorization.k8s.io", "Role"): access.check_role,
    ("rbac.authorization.k8s.io", "RoleBinding"): access.check_role_binding,
    ("scheduling.k8s.io", "PriorityClass"): access.check_priority_class,
    ("storage.k8s.io", "CSINode"): cluster.check_csi_node,
    ("storage.k8s.io", "StorageClass"): storage.check_storage_class,
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
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definitions.check_crd_update,
    ("apps", "ControllerRevision"): workloads.check_controller_revision_update,
    ("apps", "DaemonSet"): workloads.check_selector_kept,
    ("apps", "Deployment"): workloads.check_selector_kept,
    ("apps", "ReplicaSet"): workloads.check_selector_kept,
    ("apps", "StatefulSet"): workloads.check_stateful_set_update,
    ("batch", "Job"): jobs.check_job_update,
    ("discovery.k8s.io", "EndpointSlice"): services.check_endpoint_slice_update,
    ("node.k8s.io", "RuntimeClass"): cluster.check_runtime_class_update,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): access.check_binding_update,
    ("rbac.authorization.k8s.io", "RoleBinding"): access.check_binding_update,
    ("storage.k8s.io", "StorageClass"): storage.check_storage_class_update,
}
# What an update checks again, where that is less than what a create checks.
REPEATED: Final[dict[tuple[str, str], Validator]] = {
    ("", "Pod"): pods.check_pod,
    ("apps", "StatefulSet"): functools.partial(workloads.check_stateful_set, updating=True),
}
# Update validation of these does not repeat what a create is checked for.
UPDATE_ONLY: Final = frozenset({"ControllerRevision", "Node"})

# Of these it does not repeat the checks of metadata.
SPEC_ONLY: Final = frozenset({"Deployment", "Event", "Lease", "Service", "StatefulSet"})
# Their strategies check the whole object, and so do their update checks.
TWICE: Final = frozenset(
    {
        ("", "PersistentVolumeClaim"),
        *(("rbac.authorization.k8s.io", kind) for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")),
    }
)


def name_check(kind: Kind) -> Check:
    return NAME_CHECKS.get(kind.kind, names.subdomain)


def validate_create(kind: Kind, obj: Json) -> list[Cause]:
    """Everything wrong with a new object: its metadata, then its fields, in the real order.

    Expects a decoded, defaulted and prepared object. Kinds without checks of their own get those of metadata.
    """
    causes = validate_object_meta(obj, namespaced=kind.namespaced, check=name_check(kind))
    check = CREATE.get((kind.group, kind.kind))
    return causes + (check(obj) if check else [])


def validate_update(kind: Kind, new: Json, old: Json, subresource: str = "") -> list[Cause]:
    """Everything wrong with an update; duplicates are the real server's (it validates metadata in two places)."""
    shared = validate_object_meta(new, namespaced=kind.namespaced, check=name_check(kind))
    causes = shared + validate_object_meta_update(new, old)
    if subresource not in ("", "scale"):
        return causes + _check_status(kind, new, subresource)
    if kind.kind != "Event":
        causes += validate_object_meta_update(new, old)
    create, update = CREATE.get((kind.group, kind.kind)), UPDATE.get((kind.group, kind.kind))
    if create is not None and kind.kind not in UPDATE_ONLY:
        causes += [] if kind.kind in SPEC_ONLY else shared
        causes += REPEATED.get((kind.group, kind.kind), create)(new)
    if create is not None and (kind.group, kind.kind) in TWICE:
        causes += shared + create(new)
    if update is not None:
        causes += update(new, old)
    return causes


def _check_status(kind: Kind, new: Json, subresource: str) -> list[Cause]:
    """Numbers in a status may not be negative; more is left to those who write it."""
    if subresource != "status":
        return []
    status = new.get("status") or {}
    if kind.kind == "Namespace":
        return cluster.check_namespace_status(new)
    counted = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "active", "succeeded", "failed")
    causes = [
        invalid(f"status.{field}", status[field], names.NOT_NEGATIVE)
        for field in counted
        if isinstance(status.get(field), int) and status[field] < 0
    ]
    total = status.get("replicas") or 0
    if kind.kind in ("Deployment", "StatefulSet"):
        for field in ("updatedReplicas", "readyReplicas", "availableReplicas"):
            count = status.get(field) or 0
            if count > total:
                causes.append(invalid(f"status.{field}", count, "cannot be greater than status.replicas"))
    return causes
