"""What a fresh cluster holds: system namespaces, the API server's own Service, default RBAC and priority classes."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Iterable
from importlib import resources

import orjson

from kaito.embedded.apiserver.store import Change, Object, ObjectKey, Store

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_MANAGER = "kube-apiserver"
_TOKEN_TRACKING = "kube-apiserver-legacy-service-account-token-tracking"  # noqa: S105 (a name)


def bootstrap(store: Store, *, now: str, service_address: str, host: str, port: int) -> None:
    """Writes what is missing; an existing cluster keeps what its users changed."""
    changes: list[Change] = []

    def want(collection: str, key: ObjectKey, obj: Object) -> None:
        if store.collection(collection).get(key) is None:
            obj["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": now}
            for entry in obj["metadata"].get("managedFields") or ():
                entry["time"] = now
            changes.append(Change(collection, key, obj))

    for name in NAMESPACES:
        want("/namespaces", ObjectKey("", name), _namespace(name))
    for collection, key, obj in _defaults():
        want(collection, key, obj)
    want("/configmaps", ObjectKey("kube-system", _TOKEN_TRACKING), _token_tracking(now))
    want("/services", ObjectKey("default", "kubernetes"), _service(service_address))
    store.commit(changes)
    _publish_endpoint(store, now=now, host=host, port=port)


def _namespace(name: str) -> Object:
    return {
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/metadata.name": name},
            "managedFields": [
                _owned("v1", {"f:metadata": {"f:labels": {".": {}, "f:kubernetes.io/metadata.name": {}}}})
            ],
        },
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _token_tracking(now: str) -> Object:
    """Since when old-style tokens are watched for use: a real controller manager looks it up."""
    fields: Object = {"f:data": {".": {}, "f:since": {}}}
    metadata = {"name": _TOKEN_TRACKING, "namespace": "kube-system", "managedFields": [_owned("v1", fields)]}
    return {"metadata": metadata, "data": {"since": now[:10]}}


_SERVICE_FIELDS = {
    "f:metadata": {"f:labels": {".": {}, "f:component": {}, "f:provider": {}}},
    "f:spec": {
        "f:clusterIP": {},
        "f:internalTrafficPolicy": {},
        "f:ipFamilyPolicy": {},
        "f:ports": {
            ".": {},
            'k:{"port":443,"protocol":"TCP"}': {
                ".": {},
                "f:name": {},
                "f:port": {},
                "f:protocol": {},
                "f:targetPort": {},
            },
        },
        "f:sessionAffinity": {},
        "f:type": {},
    },
}


def _owned(version: str, fields: Object) -> Object:
    """A managedFields entry of the API server itself; its time is filled in later."""
    return {
        "manager": _MANAGER,
        "operation": "Update",
        "apiVersion": version,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


def _service(address: str) -> Object:
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
            "managedFields": [_owned("v1", _SERVICE_FIELDS)],
        },
        "spec": {
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 443}],
            "clusterIP": address,
            "clusterIPs": [address],
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
        },
        "status": {"loadBalancer": {}},
    }


def _publish_endpoint(store: Store, *, now: str, host: str, port: int) -> None:
    """Where the API server listens this time: Endpoints and EndpointSlice of the `kubernetes` Service."""
    key = ObjectKey("default", "kubernetes")
    endpoints: Object = {
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [
            {"addresses": [{"ip": host}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]},
        ],
    }
    piece: Object = {
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "labels": {"kubernetes.io/service-name": "kubernetes"},
            "generation": 1,
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    for collection, wanted in (("/endpoints", endpoints), ("discovery.k8s.io/endpointslices", piece)):
        live = store.collection(collection).get(key)
        old = live.object["metadata"] if live is not None else {}
        identity = {
            "uid": old.get("uid") or str(uuid.uuid4()),
            "creationTimestamp": old.get("creationTimestamp") or now,
        }
        wanted["metadata"] |= identity
        if live is None or any(live.object.get(field) != wanted[field] for field in wanted if field != "metadata"):
            store.commit([Change(collection, key, wanted)])


def _defaults() -> Iterable[tuple[str, ObjectKey, Object]]:
    """Roles, bindings, priority classes and the rest of what a kube-apiserver 1.34 makes at its first start."""
    packed = resources.files(__package__).joinpath("data", "bootstrap.json.gz").read_bytes()
    for entry in orjson.loads(gzip.decompress(packed)):
        yield entry["collection"], ObjectKey(entry["namespace"], entry["name"]), entry["object"]
