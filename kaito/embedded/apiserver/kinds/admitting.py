"""What the admission plugins that a default kube-apiserver 1.34 enables write into objects, without looking elsewhere.

Priority, DefaultTolerationSeconds, TaintNodesByCondition, StorageObjectInUseProtection. Plugins that need other objects
(ServiceAccount, DefaultStorageClass, LimitRanger, ResourceQuota) are the server's.
"""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds.model import Kind

Json = dict[str, Any]
TOLERATION_SECONDS: Final = 300
NOT_READY: Final = "node.kubernetes.io/not-ready"
UNREACHABLE: Final = "node.kubernetes.io/unreachable"
SYSTEM_PRIORITIES: Final = {"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}
PROTECTED: Final = {
    "PersistentVolumeClaim": "kubernetes.io/pvc-protection",
    "PersistentVolume": "kubernetes.io/pv-protection",
    "VolumeAttributesClass": "kubernetes.io/vac-protection",
}


def admit_create(kind: Kind, obj: Json) -> Json:
    """Fills in what admission adds on create, in place; returns the object."""
    match kind.kind:
        case "Pod":
            spec = obj.setdefault("spec", {})
            _prioritise(spec)
            _tolerate(spec)
        case "Node":
            taints = obj.setdefault("spec", {}).setdefault("taints", [])
            if not any(t.get("key") == NOT_READY and t.get("effect") == "NoSchedule" for t in taints):
                taints.append({"key": NOT_READY, "effect": "NoSchedule"})
        case name if name in PROTECTED:
            finalizers = obj.setdefault("metadata", {}).setdefault("finalizers", [])
            if PROTECTED[name] not in finalizers:
                finalizers.append(PROTECTED[name])
        case _:
            pass
    return obj


def admit_update(kind: Kind, new: Json, old: Json) -> Json:
    """Fills in what admission adds on update of the main resource, in place; returns `new`."""
    if kind.kind == "Pod" and not kind.group:
        spec, known = new.setdefault("spec", {}), old.get("spec") or {}
        for field in ("priority", "preemptionPolicy"):
            if spec.get(field) is None and field in known:
                spec[field] = known[field]
        _tolerate(spec)
    return new


def _prioritise(spec: Json) -> None:
    spec["priority"] = SYSTEM_PRIORITIES.get(spec.get("priorityClassName", ""), spec.get("priority", 0))
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _tolerate(spec: Json) -> None:
    tolerations = spec.get("tolerations", [])
    for key in (NOT_READY, UNREACHABLE):
        covered = any(t.get("key", "") in (key, "") and t.get("effect", "") in ("NoExecute", "") for t in tolerations)
        if not covered:
            tolerations = [
                *tolerations,
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_SECONDS},
            ]
    spec["tolerations"] = tolerations
