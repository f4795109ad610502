"""Which checks of metadata a kind's registry strategy makes, beside those that every write makes (rest.BeforeUpdate).

Strategies differ in how often they check the same metadata, and a client sees each complaint that often: the table was
read off the answers of a real kube-apiserver 1.34.4.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.model import Kind
from kaito.embedded.apiserver.kinds.names import Check

Json = dict[str, Any]
RBAC: Final = "rbac.authorization.k8s.io"
ADMISSION: Final = "admissionregistration.k8s.io"
FLOW: Final = "flowcontrol.apiserver.k8s.io"


@dataclass(frozen=True, slots=True)
class MetadataRules:
    """`created`: metadata is checked on create. `wholes`: how often an update checks all of it, `changes`: how often
    it compares it with the former one. `standard`: finalizers without a slash must be Kubernetes' own."""

    created: bool = True
    wholes: int = 1
    changes: int = 1
    standard: bool = True


USUAL: Final = MetadataRules()
CHANGES_ONLY: Final = MetadataRules(wholes=0)
WHOLE_ONLY: Final = MetadataRules(changes=0)
TWICE: Final = MetadataRules(wholes=2)
WHOLE_TWICE: Final = MetadataRules(wholes=2, changes=0)
NEVER: Final = MetadataRules(created=False, wholes=0, changes=0)
GENERIC_WHOLE: Final = MetadataRules(changes=0, standard=False)
GENERIC_CHANGES: Final = MetadataRules(wholes=0, standard=False)
GENERIC: Final = MetadataRules(standard=False)
RULES: Final[dict[tuple[str, str], MetadataRules]] = {
    ("", "Event"): NEVER,
    ("", "LimitRange"): WHOLE_ONLY,
    ("", "PersistentVolume"): WHOLE_TWICE,
    ("", "PersistentVolumeClaim"): TWICE,
    ("", "PodTemplate"): CHANGES_ONLY,
    ("", "ResourceQuota"): CHANGES_ONLY,
    ("", "Service"): CHANGES_ONLY,
    (ADMISSION, "MutatingWebhookConfiguration"): GENERIC_WHOLE,
    (ADMISSION, "ValidatingAdmissionPolicy"): GENERIC_WHOLE,
    (ADMISSION, "ValidatingAdmissionPolicyBinding"): GENERIC_WHOLE,
    (ADMISSION, "ValidatingWebhookConfiguration"): GENERIC_WHOLE,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): GENERIC_CHANGES,
    ("apiregistration.k8s.io", "APIService"): GENERIC,
    ("apps", "ControllerRevision"): TWICE,
    ("apps", "DaemonSet"): CHANGES_ONLY,
    ("apps", "Deployment"): CHANGES_ONLY,
    ("apps", "ReplicaSet"): CHANGES_ONLY,
    ("apps", "StatefulSet"): CHANGES_ONLY,
    ("autoscaling", "HorizontalPodAutoscaler"): CHANGES_ONLY,
    ("batch", "CronJob"): CHANGES_ONLY,
    ("coordination.k8s.io", "Lease"): GENERIC_CHANGES,
    ("discovery.k8s.io", "EndpointSlice"): WHOLE_ONLY,
    ("events.k8s.io", "Event"): CHANGES_ONLY,
    (FLOW, "FlowSchema"): WHOLE_ONLY,
    (FLOW, "PriorityLevelConfiguration"): WHOLE_ONLY,
    ("networking.k8s.io", "ServiceCIDR"): CHANGES_ONLY,
    ("node.k8s.io", "RuntimeClass"): GENERIC,
    ("policy", "PodDisruptionBudget"): NEVER,
    (RBAC, "ClusterRole"): TWICE,
    (RBAC, "ClusterRoleBinding"): TWICE,
    (RBAC, "Role"): TWICE,
    (RBAC, "RoleBinding"): TWICE,
    ("resource.k8s.io", "ResourceSlice"): CHANGES_ONLY,
    ("scheduling.k8s.io", "PriorityClass"): CHANGES_ONLY,
    ("storage.k8s.io", "CSIDriver"): CHANGES_ONLY,
    ("storage.k8s.io", "CSINode"): WHOLE_TWICE,
    ("storage.k8s.io", "VolumeAttachment"): WHOLE_TWICE,
    ("storage.k8s.io", "VolumeAttributesClass"): TWICE,
}
STATUS_RULES: Final[dict[tuple[str, str], MetadataRules]] = {
    ("apiextensions.k8s.io", "CustomResourceDefinition"): GENERIC_CHANGES,
    ("batch", "CronJob"): NEVER,
    ("certificates.k8s.io", "CertificateSigningRequest"): USUAL,
    ("policy", "PodDisruptionBudget"): NEVER,
    ("storage.k8s.io", "VolumeAttachment"): WHOLE_TWICE,
}
"""Of the status and other subresources; elsewhere those only compare."""


def metadata_rules(kind: Kind, subresource: str) -> MetadataRules:
    if subresource in ("", "scale"):
        return RULES.get((kind.group, kind.kind), USUAL)
    return STATUS_RULES.get((kind.group, kind.kind), CHANGES_ONLY)


def _no_dots(value: str) -> list[str]:
    return ["must not contain dots"] if "." in value and not names.subdomain(value) else names.label(value)


def _anything(value: str) -> list[str]:
    del value
    return []


def _address(value: str) -> list[str]:
    """An IP address as it is written canonically."""
    if _has_leading_zero(value):
        return ["must not have leading 0s"]
    try:
        found = ipaddress.ip_address(value)
    except ValueError:
        return [names.IP_MESSAGE]
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return ["must not be an IPv4-mapped IPv6 address"]
    return [] if str(found) == value else [f'must be in canonical form ("{found}")']


def _has_leading_zero(value: str) -> bool:
    parts = value.split(".")
    return len(parts) == 4 and all(part.isdigit() for part in parts) and any(p != str(int(p)) for p in parts)


# Names are DNS subdomains except for these.
NAMES: Final[dict[tuple[str, str], Check]] = {
    ("", "Namespace"): _no_dots,
    ("", "Service"): names.label_1035,
    ("apps", "StatefulSet"): _no_dots,
    (RBAC, "ClusterRole"): names.path_segment,
    (RBAC, "ClusterRoleBinding"): names.path_segment,
    (RBAC, "Role"): names.path_segment,
    (RBAC, "RoleBinding"): names.path_segment,
    ("certificates.k8s.io", "CertificateSigningRequest"): _anything,
    ("networking.k8s.io", "IPAddress"): _address,
}


def name_check(kind: Kind, obj: Json) -> Check:
    """What complains about the name of an object of this kind."""
    if kind.kind == "APIService":
        spec = obj.get("spec") or {}
        wanted = f"{spec.get('version', '')}.{spec.get('group', '')}"

        def check(value: str) -> list[str]:
            shown = f'must be `spec.version+"."+spec.group`: "{wanted}"'
            return names.path_segment(value) or ([] if value == wanted else [shown])

        return check
    return NAMES.get((kind.group, kind.kind), names.subdomain)
