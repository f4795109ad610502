"""`karpenter.sh/v1` NodeClaim: one node that somebody asked for.

Field names, patterns and the rules of `x-kubernetes-validations` are Karpenter's (Apache License 2.0,
github.com/kubernetes-sigs/karpenter), restated here so that claims are accepted and refused as on a real cluster.
"""

from __future__ import annotations

from typing import Any, ClassVar

from kaito.api.models.base import ApiModel, crd

_LABEL_KEY = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(\/))?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"
)
_QUANTITY = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": (
        r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
        r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
    ),
    "x-kubernetes-int-or-string": True,
}
_WELL_KNOWN = [
    "beta.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "failure-domain.beta.kubernetes.io/zone",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "node.kubernetes.io/instance-type",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "node.kubernetes.io/windows-build",
]


def _one_of(values: list[str]) -> str:
    return "self in [" + ", ".join(f'"{value}"' for value in values) + "]"


def _domain_ends(domain: str) -> str:
    return f'self.find("^([^/]+)").endsWith("{domain}")'


_KEY_RULES = [
    {
        "message": 'label domain "kubernetes.io" is restricted',
        "rule": " || ".join(
            [
                _one_of(_WELL_KNOWN),
                _domain_ends("node.kubernetes.io"),
                _domain_ends("node-restriction.kubernetes.io"),
                "!" + _domain_ends("kubernetes.io"),
            ]
        ),
    },
    {
        "message": 'label domain "k8s.io" is restricted',
        "rule": f"{_domain_ends('kops.k8s.io')} || !{_domain_ends('k8s.io')}",
    },
    {
        "message": 'label domain "karpenter.sh" is restricted',
        "rule": _one_of(["karpenter.sh/capacity-type", "karpenter.sh/nodepool"])
        + f" || !{_domain_ends('karpenter.sh')}",
    },
    {"message": 'label "kubernetes.io/hostname" is restricted', "rule": 'self != "kubernetes.io/hostname"'},
]


class NodeClassRef(ApiModel):
    """The provider-specific configuration object."""

    group: str | None = crd(
        required=True,
        pattern="^[^/]*$",
        x_kubernetes_validations=[{"message": "group may not be empty", "rule": "self != ''"}],
    )
    """API group."""
    kind: str | None = crd(
        required=True, x_kubernetes_validations=[{"message": "kind may not be empty", "rule": "self != ''"}]
    )
    """Kind."""
    name: str | None = crd(
        required=True, x_kubernetes_validations=[{"message": "name may not be empty", "rule": "self != ''"}]
    )
    """Name."""


class Requirement(ApiModel):
    """A node selector requirement."""

    key: str | None = crd(required=True, maxLength=316, pattern=_LABEL_KEY, x_kubernetes_validations=_KEY_RULES)
    """Label key."""
    operator: str | None = crd(required=True, enum=["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])
    """How key and values relate."""
    values: list[str] | None = crd(
        x_kubernetes_list_type="atomic", maxLength=63, pattern="^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
    )
    """Values."""
    min_values: int | None = crd(minimum=1, maximum=50)
    """Least number of different values that must stay possible."""


class ClaimTaint(ApiModel):
    """A taint for the node."""

    effect: str | None = crd(required=True, enum=["NoSchedule", "PreferNoSchedule", "NoExecute"])
    """What it does to pods that do not tolerate it."""
    key: str | None = crd(required=True, minLength=1, pattern=_LABEL_KEY)
    """Key."""
    value: str | None = crd(pattern=_LABEL_KEY)
    """Value."""
    time_added: str | None = crd(format="date-time")
    """When it was added."""


class ClaimResources(ApiModel):
    """Resources that the node must have."""

    requests: dict[str, Any] | None = crd(additionalProperties=_QUANTITY)
    """Least amounts; `storage` is the disk size."""


class NodeClaimSpec(ApiModel):
    """Desired node; immutable."""

    expire_after: str | None = crd(default="720h", pattern="^(([0-9]+(s|m|h))+|Never)$")
    """Age at which the node is replaced."""
    node_class_ref: NodeClassRef | None = crd(required=True)
    """Provider-specific configuration."""
    requirements: list[Requirement] | None = crd(
        required=True,
        maxItems=100,
        x_kubernetes_validations=[
            {
                "message": "requirements with operator 'In' must have a value defined",
                "rule": "self.all(x, x.operator == 'In' ? x.values.size() != 0 : true)",
            },
            {
                "message": "requirements operator 'Gt' or 'Lt' must have a single positive integer value",
                "rule": (
                    "self.all(x, (x.operator == 'Gt' || x.operator == 'Lt') ? "
                    "(x.values.size() == 1 && int(x.values[0]) >= 0) : true)"
                ),
            },
            {
                "message": (
                    "requirements with 'minValues' must have at least that many values specified in the 'values' field"
                ),
                "rule": "self.all(x, (x.operator == 'In' && has(x.minValues)) ? x.values.size() >= x.minValues : true)",
            },
        ],
    )
    """Labels that the node must have."""
    resources: ClaimResources | None = crd()
    """Resources that the node must have."""
    startup_taints: list[ClaimTaint] | None = crd()
    """Taints that somebody else removes when the node has started."""
    taints: list[ClaimTaint] | None = crd()
    """Taints of the node."""
    termination_grace_period: str | None = crd(pattern="^([0-9]+(s|m|h))+$")
    """Longest time that draining may take."""


class ClaimCondition(ApiModel):
    """A condition whose reason and message may be empty."""

    last_transition_time: str | None = crd(required=True, format="date-time")
    """When the status last changed."""
    message: str | None = crd(maxLength=32768)
    """Sentence for a person."""
    observed_generation: int | None = crd(format="int64", minimum=0)
    """metadata.generation that the condition was computed from."""
    reason: str | None = crd(maxLength=1024, pattern="^([A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?|)$")
    """Identifier of the cause."""
    status: str | None = crd(required=True, enum=["True", "False", "Unknown"])
    """True, False or Unknown."""
    type: str | None = crd(
        required=True,
        maxLength=316,
        pattern=(
            r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
            r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
        ),
    )
    """Type of the condition."""


class NodeClaimStatus(ApiModel):
    """Observed node."""

    allocatable: dict[str, Any] | None = crd(additionalProperties=_QUANTITY)
    """Resources that pods can use."""
    capacity: dict[str, Any] | None = crd(additionalProperties=_QUANTITY)
    """Resources of the machine."""
    conditions: list[ClaimCondition] | None = crd()
    """Current conditions."""
    image_id: str | None = crd(alias="imageID")
    """Image that the machine runs."""
    last_pod_event_time: str | None = crd(format="date-time")
    """When a pod last came or went."""
    node_name: str | None = crd()
    """Name of the Node object."""
    provider_id: str | None = crd(alias="providerID")
    """Provider's name of the machine; equals the Node's spec.providerID."""


class NodeClaim(ApiModel):
    """One node that somebody asked for."""

    API_VERSION: ClassVar[str] = "karpenter.sh/v1"

    api_version: str | None = crd()
    """Group and version of this representation."""
    kind: str | None = crd()
    """`NodeClaim`."""
    metadata: dict[str, Any] | None = crd(x_crd_metadata=True)
    """Standard object metadata."""
    spec: NodeClaimSpec | None = crd(
        required=True, x_kubernetes_validations=[{"message": "spec is immutable", "rule": "self == oldSelf"}]
    )
    """Desired node."""
    status: NodeClaimStatus | None = crd()
    """Observed node."""
