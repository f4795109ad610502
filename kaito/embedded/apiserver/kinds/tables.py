"""Rows of the Tables that `kubectl get` shows for built-in kinds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from kaito.embedded.apiserver.kinds.model import Kind
from kaito.embedded.apiserver.kinds.printing import cluster, network, pods, storage, workloads

Json = dict[str, Any]
Printer = Callable[[Json, datetime], list[Any]]

PRINTERS: Final[dict[tuple[str, str], Printer]] = {
    ("", "ComponentStatus"): cluster.component_status_row,
    ("", "ConfigMap"): cluster.config_map_row,
    ("", "Endpoints"): network.endpoints_row,
    ("", "Event"): cluster.event_row,
    ("", "Namespace"): cluster.namespace_row,
    ("", "Node"): cluster.node_row,
    ("", "PersistentVolume"): storage.volume_row,
    ("", "PersistentVolumeClaim"): storage.claim_row,
    ("", "Pod"): pods.pod_row,
    ("", "PodTemplate"): pods.pod_template_row,
    ("", "ReplicationController"): workloads.replication_controller_row,
    ("", "ResourceQuota"): cluster.quota_row,
    ("", "Secret"): cluster.secret_row,
    ("", "Service"): network.service_row,
    ("", "ServiceAccount"): cluster.service_account_row,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): cluster.webhooks_row,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): cluster.admission_policy_row,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): cluster.admission_binding_row,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): cluster.webhooks_row,
    ("apiregistration.k8s.io", "APIService"): cluster.api_service_row,
    ("apps", "ControllerRevision"): workloads.controller_revision_row,
    ("apps", "DaemonSet"): workloads.daemon_set_row,
    ("apps", "Deployment"): workloads.deployment_row,
    ("apps", "ReplicaSet"): workloads.replica_set_row,
    ("apps", "StatefulSet"): workloads.stateful_set_row,
    ("autoscaling", "HorizontalPodAutoscaler"): workloads.autoscaler_row,
    ("batch", "CronJob"): workloads.cron_job_row,
    ("batch", "Job"): workloads.job_row,
    ("certificates.k8s.io", "CertificateSigningRequest"): cluster.signing_request_row,
    ("coordination.k8s.io", "Lease"): cluster.lease_row,
    ("discovery.k8s.io", "EndpointSlice"): network.endpoint_slice_row,
    ("events.k8s.io", "Event"): cluster.event_row,
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): cluster.flow_schema_row,
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): cluster.priority_level_row,
    ("networking.k8s.io", "IPAddress"): network.ip_address_row,
    ("networking.k8s.io", "Ingress"): network.ingress_row,
    ("networking.k8s.io", "IngressClass"): network.ingress_class_row,
    ("networking.k8s.io", "NetworkPolicy"): network.network_policy_row,
    ("networking.k8s.io", "ServiceCIDR"): network.service_cidr_row,
    ("node.k8s.io", "RuntimeClass"): cluster.runtime_class_row,
    ("policy", "PodDisruptionBudget"): workloads.disruption_budget_row,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): cluster.binding_row,
    ("rbac.authorization.k8s.io", "RoleBinding"): cluster.binding_row,
    ("resource.k8s.io", "DeviceClass"): cluster.name_age_row,
    ("resource.k8s.io", "ResourceClaim"): cluster.resource_claim_row,
    ("resource.k8s.io", "ResourceClaimTemplate"): cluster.name_age_row,
    ("resource.k8s.io", "ResourceSlice"): cluster.resource_slice_row,
    ("scheduling.k8s.io", "PriorityClass"): cluster.priority_class_row,
    ("storage.k8s.io", "CSIDriver"): storage.csi_driver_row,
    ("storage.k8s.io", "CSINode"): storage.csi_node_row,
    ("storage.k8s.io", "StorageClass"): storage.storage_class_row,
    ("storage.k8s.io", "VolumeAttachment"): storage.attachment_row,
    ("storage.k8s.io", "VolumeAttributesClass"): storage.attributes_class_row,
}


def row(kind: Kind, obj: Json, now: datetime) -> list[Any]:
    """One cell per column of `kind.columns`; kinds without a printer get Name and Created At. `now` is aware UTC."""
    return PRINTERS.get((kind.group, kind.kind), cluster.created_row)(obj, now)


def row_conditions(kind: Kind, obj: Json) -> list[Json]:
    """The row's conditions: completed pods are marked so. Empty for everything else."""
    return pods.conditions(obj) if (kind.group, kind.kind) == ("", "Pod") else []
