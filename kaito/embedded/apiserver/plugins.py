"""Admission that a kube-apiserver does by itself by default, as far as this cluster's objects meet it.

NamespaceLifecycle, ServiceAccount, Priority, DefaultTolerationSeconds, TaintNodesByCondition,
StorageObjectInUseProtection, DefaultStorageClass, and the address allocation of Services.
"""

from __future__ import annotations

import random

from kaito.embedded.apiserver.allocating import ServiceAddresses
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import GroupResource, StatusError, forbidden, not_found
from kaito.embedded.apiserver.kinds import admitting
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.service_accounts import add_service_account
from kaito.embedded.apiserver.store import Object, ObjectKey, Store

_NOT_READY = "node.kubernetes.io/not-ready"
_UNREACHABLE = "node.kubernetes.io/unreachable"
_EVICT_AFTER = 300  # seconds
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


class Plugins:
    """`service_accounts` switches the ServiceAccount plugin, the one that needs controllers beside the server."""

    def __init__(self, store: Store, addresses: ServiceAddresses, *, service_accounts: bool) -> None:
        self._store = store
        self._addresses = addresses
        self._service_accounts = service_accounts
        for entry in store.collection("/services").entries():
            addresses.adopt(entry.object)

    def on_create(self, call: Call, resource: Resource, obj: Object) -> None:
        """Changes `obj` or refuses it, before it is prepared and validated."""
        if resource.namespaced:
            self.check_namespace(resource, obj)
        if resource.custom:
            return
        kind = resource.kind.kind
        if kind == "Pod":
            self._on_pod(obj)
            return
        admitting.admit_create(resource.kind, obj)
        if kind == "PersistentVolumeClaim":
            self._default_class(obj)
        if kind == "CertificateSigningRequest":
            obj["spec"] = {**(obj.get("spec") or {}), "uid": None, "groups": None, "extra": None, **call.user.info()}

    def on_update(self, call: Call, resource: Resource, new: Object, old: Object, subresource: str) -> None:
        """Changes `new` before it is prepared and validated."""
        if not resource.custom and not subresource:
            admitting.admit_update(resource.kind, new, old)

    def check_namespace(self, resource: Resource, obj: Object) -> None:
        """NamespaceLifecycle: nothing is made in a namespace that is missing or going away."""
        namespace = obj["metadata"].get("namespace", "")
        entry = self._store.collection("/namespaces").get(ObjectKey("", namespace))
        if entry is None:
            raise not_found(_NAMESPACES, namespace)
        if entry.object["metadata"].get("deletionTimestamp"):
            raise _terminating(resource, obj["metadata"].get("name", ""), namespace)

    def _on_pod(self, pod: Object) -> None:
        if self._service_accounts:
            namespace = pod["metadata"]["namespace"]
            name = (pod.get("spec") or {}).get("serviceAccountName") or "default"
            entry = self._store.collection("/serviceaccounts").get(ObjectKey(namespace, name))
            suffix = "".join(random.choice(_SUFFIX) for _ in range(5))
            add_service_account(pod, entry.object if entry is not None else None, suffix)
        self._prioritise(pod)
        _tolerate(pod)

    def _prioritise(self, pod: Object) -> None:
        """Priority: the number behind the class's name."""
        spec = pod.setdefault("spec", {})
        name = spec.get("priorityClassName", "")
        value, policy = 0, "PreemptLowerPriority"
        classes = self._store.collection("scheduling.k8s.io/priorityclasses")
        if name:
            entry = classes.get(ObjectKey("", name))
            if entry is None:
                raise forbidden(_PODS, pod["metadata"].get("name", ""), f"no PriorityClass with name {name} was found")
            value, policy = entry.object["value"], entry.object.get("preemptionPolicy", policy)
        else:
            for entry in classes.entries():
                if entry.object.get("globalDefault"):
                    spec["priorityClassName"] = entry.key.name
                    value, policy = entry.object["value"], entry.object.get("preemptionPolicy", policy)
        if spec.get("priority", value) != value:
            raise forbidden(
                _PODS,
                pod["metadata"].get("name", ""),
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
                f"priority admission controller computed {value} from the given PriorityClass name",
            )
        spec["priority"] = value
        spec.setdefault("preemptionPolicy", policy)

    def _default_class(self, claim: Object) -> None:
        spec = claim.setdefault("spec", {})
        annotations = claim["metadata"].get("annotations") or {}
        if spec.get("storageClassName") is not None or _CLASS_ANNOTATION in annotations:
            return
        defaults = [
            entry
            for entry in self._store.collection("storage.k8s.io/storageclasses").entries()
            if (entry.object["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
        ]
        if defaults:
            newest = max(entry.object["metadata"]["creationTimestamp"] for entry in defaults)
            chosen = next(e for e in defaults if e.object["metadata"]["creationTimestamp"] == newest)
            spec["storageClassName"] = chosen.key.name

    def before_store(self, resource: Resource, new: Object, old: Object | None, *, dry_run: bool) -> None:
        """Takes what the object needs from the cluster's pools; given back by not_stored, deleted or stored."""
        if _is_service(resource):
            self._addresses.assign(new, old)

    def not_stored(self, resource: Resource, new: Object, old: Object | None) -> None:
        """The write did not happen: what before_store took for it is free again."""
        if _is_service(resource):
            self._addresses.release(new, old)

    def stored(self, resource: Resource, new: Object, old: Object | None) -> None:
        """The write happened: what only the former state held is free."""
        if old is not None and _is_service(resource):
            self._addresses.release(old, new)

    def deleted(self, resource: Resource, obj: Object) -> None:
        """The object is gone."""
        if _is_service(resource):
            self._addresses.release(obj)


_NAMESPACES = GroupResource("", "namespaces")
_PODS = GroupResource("", "pods")


def _is_service(resource: Resource) -> bool:
    return resource.plural == "services" and not resource.group


def _terminating(resource: Resource, name: str, namespace: str) -> StatusError:
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    error = forbidden(resource.group_resource, name, why)
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    error.details = {**(error.details or {}), "causes": [cause]}
    return error


def _tolerate(pod: Object) -> None:
    """Pods survive five minutes on a node that is lost, unless they say otherwise."""
    tolerations = pod.setdefault("spec", {}).setdefault("tolerations", [])

    def tolerated(key: str) -> bool:
        return any(
            toleration.get("key", "") in ("", key) and toleration.get("effect", "") in ("", "NoExecute")
            for toleration in tolerations
        )

    missing = [key for key in (_NOT_READY, _UNREACHABLE) if not tolerated(key)]
    tolerations += [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _EVICT_AFTER} for key in missing
    ]
    if not tolerations:
        del pod["spec"]["tolerations"]
