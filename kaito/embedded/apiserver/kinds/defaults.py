"""Default values of built-in objects: what the real server fills in while it decodes a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kaito.embedded.apiserver.kinds.defaulting import cluster, pods, services, volumes, workloads
from kaito.embedded.apiserver.kinds.model import Kind

Json = dict[str, Any]

DEFAULTERS: Final[dict[tuple[str, str], Callable[[Json], None]]] = {
    ("", "Pod"): pods.default_pod,
    ("", "PodTemplate"): lambda obj: pods.default_template(obj.get("template")),
    ("", "ReplicationController"): workloads.default_replication_controller,
    ("", "Service"): services.default_service,
    ("", "Endpoints"): services.default_endpoints,
    ("", "Secret"): cluster.default_secret,
    ("", "Namespace"): cluster.default_namespace,
    ("", "Node"): cluster.default_node,
    ("", "LimitRange"): cluster.default_limit_range,
    ("", "PersistentVolume"): volumes.default_persistent_volume,
    ("", "PersistentVolumeClaim"): volumes.default_claim,
    ("apps", "Deployment"): workloads.default_deployment,
    ("apps", "ReplicaSet"): workloads.default_replica_set,
    ("apps", "StatefulSet"): workloads.default_stateful_set,
    ("apps", "DaemonSet"): workloads.default_daemon_set,
    ("batch", "Job"): workloads.default_job,
    ("batch", "CronJob"): workloads.default_cron_job,
    ("autoscaling", "HorizontalPodAutoscaler"): workloads.default_autoscaler,
    ("discovery.k8s.io", "EndpointSlice"): services.default_endpoint_slice,
    ("networking.k8s.io", "IngressClass"): services.default_ingress_class,
    ("networking.k8s.io", "NetworkPolicy"): services.default_network_policy,
    ("storage.k8s.io", "StorageClass"): volumes.default_storage_class,
    ("storage.k8s.io", "CSIDriver"): volumes.default_csi_driver,
    ("rbac.authorization.k8s.io", "RoleBinding"): cluster.default_binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): cluster.default_binding,
    ("scheduling.k8s.io", "PriorityClass"): cluster.default_priority_class,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): cluster.default_webhooks,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): cluster.default_webhooks,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): cluster.default_admission_policy,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): cluster.default_admission_policy_binding,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): cluster.default_crd,
    ("apiregistration.k8s.io", "APIService"): cluster.default_api_service,
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): cluster.default_flow_schema,
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): cluster.default_priority_level,
    ("resource.k8s.io", "ResourceClaim"): cluster.default_device_requests,
    ("resource.k8s.io", "ResourceClaimTemplate"): cluster.default_device_requests,
}


def apply(kind: Kind, obj: Json) -> Json:
    """Fills in the defaults of a decoded built-in object, in place; returns it. Other kinds are left as they are.

    Idempotent. The real server also defaults what it reads back from its store: apply once more before storing (a Job
    gets its template's labels so). Expects what `schemas.decoding.decode` returns (absent and zero values already
    told apart).
    """
    defaulter = DEFAULTERS.get((kind.group, kind.kind))
    if defaulter is not None:
        defaulter(obj)
    return obj
