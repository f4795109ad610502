"""What the server itself writes into built-in objects on create and update: the registry strategies of Kubernetes 1.34.

Status belongs to the status subresource, spec to the main one; `metadata.generation` counts changes of what is desired.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from kaito.embedded.apiserver.kinds import signing
from kaito.embedded.apiserver.kinds.model import Kind
from kaito.embedded.apiserver.kinds.qos import qos_class
from kaito.embedded.apiserver.schemas.decoding import zero
from kaito.embedded.apiserver.schemas.types import type_for

Json = dict[str, Any]
CONTROLLER_UID: Final = "batch.kubernetes.io/controller-uid"
JOB_NAME: Final = "batch.kubernetes.io/job-name"
LEGACY_CONTROLLER_UID: Final = "controller-uid"
LEGACY_JOB_NAME: Final = "job-name"
TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"
# Kinds whose generation counts; the parts that are compared (None: everything beside metadata, kind and status).
GENERATION: Final[dict[tuple[str, str], tuple[str, ...] | None]] = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template",),
    ("", "ReplicationController"): ("spec",),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): ("webhooks",),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): ("spec",),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): ("spec",),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): ("webhooks",),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("spec",),
    ("apps", "DaemonSet"): ("spec",),
    ("apps", "Deployment"): ("spec",),
    ("apps", "ReplicaSet"): ("spec",),
    ("apps", "StatefulSet"): ("spec",),
    ("batch", "CronJob"): ("spec",),
    ("batch", "Job"): ("spec",),
    ("discovery.k8s.io", "EndpointSlice"): None,
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): ("spec",),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): ("spec",),
    ("networking.k8s.io", "Ingress"): ("spec",),
    ("networking.k8s.io", "IngressClass"): ("spec",),
    ("networking.k8s.io", "NetworkPolicy"): ("spec",),
    ("policy", "PodDisruptionBudget"): ("spec",),
    ("resource.k8s.io", "DeviceClass"): ("spec",),
    ("resource.k8s.io", "ResourceSlice"): ("spec",),
    ("scheduling.k8s.io", "PriorityClass"): (),
}
# Kinds whose status a create keeps: nodes report themselves.
STATUS_KEPT_ON_CREATE: Final = frozenset({("", "Node"), ("networking.k8s.io", "ServiceCIDR")})
# Kinds whose status the main resource writes as well.
STATUS_WRITTEN: Final = frozenset({("networking.k8s.io", "ServiceCIDR")})


def has_status(kind: Kind) -> bool:
    return "status" in kind.subresources


def prepare_create(kind: Kind, obj: Json) -> Json:
    """Resets what a client may not set on create, in place; returns the object.

    Expects a decoded and defaulted object that already has `metadata.uid` and `metadata.creationTimestamp`.
    """
    metadata = obj.setdefault("metadata", {})
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        metadata.pop(field, None)
    if (kind.group, kind.kind) in GENERATION:
        metadata["generation"] = 1
    if has_status(kind) and (kind.group, kind.kind) not in STATUS_KEPT_ON_CREATE:
        _reset_status(kind, obj)
    drop_disabled(kind, obj)
    _mend_grace_period(pod_spec(kind, obj) or {})
    match kind.kind:
        case "Pod":
            _prepare_pod(obj)
        case "Namespace":
            _prepare_namespace(obj)
        case "PersistentVolumeClaim":
            obj["status"] = {"phase": "Pending"}
            _prepare_source(obj.get("spec", {}))
        case "PersistentVolume":
            obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": metadata.get("creationTimestamp")}
        case "Job":
            _select_own_pods(obj)
        case "DaemonSet":
            metadata["annotations"] = {**metadata.get("annotations", {}), TEMPLATE_GENERATION: "1"}
        case "CustomResourceDefinition":
            versions = obj.get("spec", {}).get("versions") or ()
            obj["status"]["storedVersions"] = [v["name"] for v in versions if v.get("storage")][:1] or None
        case _:
            pass
    return obj


def _reset_status(kind: Kind, obj: Json) -> None:
    known = type_for(kind.api_version, kind.kind)
    field = known.fields.get("status") if known is not None else None
    if field is not None:
        obj["status"] = zero(field.type)


def _prepare_pod(pod: Json) -> None:
    spec = pod.setdefault("spec", {})
    status: Json = {"phase": "Pending", "qosClass": qos_class(spec)}
    if spec.get("schedulingGates"):
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": pod["metadata"].get("creationTimestamp"),
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }
        status["conditions"] = [condition]
    pod["status"] = status


def _prepare_source(spec: Json) -> None:
    """A claim's data source is a claim or a snapshot; others are dropped. It is kept in both its old and new field."""
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is None:
        if reference is not None and not reference.get("namespace"):
            spec["dataSource"] = dict(reference)
        return
    known = (
        (None, "PersistentVolumeClaim"),
        ("", "PersistentVolumeClaim"),
        ("snapshot.storage.k8s.io", "VolumeSnapshot"),
    )
    if (source.get("apiGroup"), source.get("kind")) not in known:
        del spec["dataSource"]
    else:
        spec.setdefault("dataSourceRef", dict(source))


def drop_disabled(kind: Kind, obj: Json) -> None:
    """Removes, in place, fields whose feature gates are off by default in 1.34."""
    if kind.kind == "CSIDriver":
        (obj.get("spec") or {}).pop("nodeAllocatableUpdatePeriodSeconds", None)
    spec = pod_spec(kind, obj)
    if spec is None:
        return
    for container in spec.get("containers") or ():
        container.pop("restartPolicy", None)
        container.pop("restartPolicyRules", None)
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") not in (None, "Always"):
            del container["restartPolicy"]
        container.pop("restartPolicyRules", None)
    images = {v.get("name") for v in spec.get("volumes") or () if v.get("image") is not None}
    if images:
        spec["volumes"] = [volume for volume in spec["volumes"] if volume.get("name") not in images]
        for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
            if mounts := container.get("volumeMounts"):
                container["volumeMounts"] = [mount for mount in mounts if mount.get("name") not in images]


def _mend_grace_period(spec: Json) -> None:
    """A new pod or template with a negative grace period gets one second."""
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1


def pod_spec(kind: Kind, obj: Json) -> Json | None:
    """The pod spec inside an object: a pod's own, or that of its template; None for kinds without one."""
    spec = obj.get("spec") or {}
    match kind.kind:
        case "Pod":
            found = spec
        case "PodTemplate":
            found = (obj.get("template") or {}).get("spec")
        case "CronJob":
            found = (((spec.get("jobTemplate") or {}).get("spec") or {}).get("template") or {}).get("spec")
        case "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "ReplicationController":
            found = (spec.get("template") or {}).get("spec")
        case _:
            found = None
    return found if isinstance(found, dict) else None


def _prepare_namespace(namespace: Json) -> None:
    namespace["status"] = {"phase": "Active"}
    spec = namespace.setdefault("spec", {})
    if "kubernetes" not in spec.get("finalizers", ()):
        spec["finalizers"] = [*spec.get("finalizers", ()), "kubernetes"]
    metadata = namespace["metadata"]
    metadata["labels"] = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata.get("name", "")}


def _select_own_pods(job: Json) -> None:
    """Jobs without manualSelector select by their own uid, and label their template and themselves for it."""
    spec, metadata = job.setdefault("spec", {}), job["metadata"]
    if spec.get("manualSelector"):
        return
    template = spec.setdefault("template", {}).setdefault("metadata", {})
    uid, name = metadata.get("uid", ""), metadata.get("name", "")
    own = {CONTROLLER_UID: uid, LEGACY_CONTROLLER_UID: uid, JOB_NAME: name, LEGACY_JOB_NAME: name}
    shared = "labels" in metadata and metadata["labels"] is template.get("labels")
    template["labels"] = dict(sorted({**(template.get("labels") or {}), **own}.items()))
    if shared:
        metadata["labels"] = template["labels"]
    spec["selector"] = spec.get("selector") or {}
    spec["selector"]["matchLabels"] = {**spec["selector"].get("matchLabels", {}), CONTROLLER_UID: uid}


def prepare_update(kind: Kind, new: Json, old: Json, subresource: str = "") -> Json:
    """Restores what this write may not change and counts the generation, in place; returns `new`.

    `subresource` is empty, `status`, or another one (`scale`, `resize`, `ephemeralcontainers`, `finalize`, `approval`).
    Expects a decoded and defaulted object; `old` is the stored one.
    """
    _keep_metadata(new, old)
    if subresource == "status" and kind.kind != "CertificateSigningRequest":
        _keep_all_but_status(kind, new, old)
        return new
    if kind.kind == "CertificateSigningRequest":
        signing.prepare_update(new, old, subresource)
    elif has_status(kind) and (kind.group, kind.kind) not in STATUS_WRITTEN:
        if "status" in old:
            new["status"] = copy.deepcopy(old["status"])
        else:
            new.pop("status", None)
    if kind.kind != "Pod":
        drop_disabled(kind, new)
    match kind.kind:
        case "Namespace" if subresource != "finalize":
            new["spec"] = {**new.get("spec", {}), "finalizers": old.get("spec", {}).get("finalizers")}
            if new["spec"]["finalizers"] is None:
                del new["spec"]["finalizers"]
        case "DaemonSet":
            _count_template(new, old)
        case "Service":
            _keep_cluster_ip(new.setdefault("spec", {}), old.get("spec", {}))
        case "CustomResourceDefinition":
            _store_versions(new)
        case "CSIDriver":
            if new.get("spec") != old.get("spec"):  # counted from the first change on, not from the start
                new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        case _:
            pass
    if (kind.group, kind.kind) in GENERATION and _desired_changed(kind, new, old):
        new["metadata"]["generation"] = old.get("metadata", {}).get("generation", 0) + 1
    return new


def _keep_metadata(new: Json, old: Json) -> None:
    metadata, known = new.setdefault("metadata", {}), old.get("metadata", {})
    for name in ("creationTimestamp", "generation", "deletionTimestamp"):
        if name in known:
            metadata[name] = known[name]
        else:
            metadata.pop(name, None)
    metadata.setdefault("uid", known.get("uid", ""))
    if "deletionGracePeriodSeconds" in known:
        metadata.setdefault("deletionGracePeriodSeconds", known["deletionGracePeriodSeconds"])


def _keep_all_but_status(kind: Kind, new: Json, old: Json) -> None:
    for key in [key for key in new if key not in ("apiVersion", "kind", "metadata", "status")]:
        del new[key]
    for key, value in old.items():
        if key not in ("apiVersion", "kind", "metadata", "status"):
            new[key] = copy.deepcopy(value)
    metadata, known = new["metadata"], old.get("metadata", {})
    match kind.kind:
        case "Deployment":
            _restore(metadata, known, ("labels",))
        case "Pod":
            _restore(metadata, known, ("ownerReferences",))
        case "APIService" | "ResourceClaim" | "ServiceCIDR" | "ValidatingAdmissionPolicy" | "VolumeAttachment":
            _restore(metadata, known, ("labels", "annotations", "finalizers", "ownerReferences"))
        case "FlowSchema" | "PriorityLevelConfiguration":
            new["metadata"] = {**known, "managedFields": metadata.get("managedFields") or []}
        case _:
            pass


def _restore(metadata: Json, known: Json, names: tuple[str, ...]) -> None:
    for name in names:
        if name in known:
            metadata[name] = copy.deepcopy(known[name])
        else:
            metadata.pop(name, None)


def _count_template(new: Json, old: Json) -> None:
    known = old.get("metadata", {}).get("annotations", {}).get(TEMPLATE_GENERATION, "0")
    count = int(known) if known.isdigit() else 0
    if new.get("spec", {}).get("template") != old.get("spec", {}).get("template"):
        count += 1
    metadata = new["metadata"]
    metadata["annotations"] = {**metadata.get("annotations", {}), TEMPLATE_GENERATION: str(count)}


def _keep_cluster_ip(spec: Json, known: Json) -> None:
    """Updates that leave the address fields out keep the allocated ones (patchAllocatedValues)."""
    if spec.get("type") == "ExternalName" or known.get("type") == "ExternalName":
        return
    for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if not spec.get(name) and name in known:
            spec[name] = copy.deepcopy(known[name])
    node_ports = {(p.get("protocol"), p.get("port")): p.get("nodePort") for p in known.get("ports", ())}
    if spec.get("type") in ("NodePort", "LoadBalancer") and known.get("type") in ("NodePort", "LoadBalancer"):
        for port in spec.get("ports", ()):
            if not port.get("nodePort") and (found := node_ports.get((port.get("protocol"), port.get("port")))):
                port["nodePort"] = found


def _store_versions(crd: Json) -> None:
    stored = crd.setdefault("status", {}).setdefault("storedVersions", [])
    for version in crd.get("spec", {}).get("versions") or ():
        if version.get("storage") and version["name"] not in (stored or ()):
            crd["status"]["storedVersions"] = [*(stored or ()), version["name"]]


def _desired_changed(kind: Kind, new: Json, old: Json) -> bool:
    parts = GENERATION[kind.group, kind.kind]
    if parts is None:
        skipped = {"apiVersion", "kind", "metadata", "status"}
        parts = tuple({*new, *old} - skipped)
        if kind.kind == "EndpointSlice" and _labels(new) != _labels(old):
            return True
    changed = any(new.get(part) != old.get(part) for part in parts)
    if kind.kind == "Deployment":
        changed = changed or _annotations(new) != _annotations(old)
    return changed


def _labels(obj: Json) -> Json:
    return dict(obj.get("metadata", {}).get("labels") or {})


def _annotations(obj: Json) -> Json:
    return dict(obj.get("metadata", {}).get("annotations") or {})
