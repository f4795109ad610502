"""The ServiceAccount admission plugin: which account a pod runs as, its pull secrets and its token volume."""

from __future__ import annotations

from typing import Any

from kaito.embedded.apiserver.errors import GroupResource, forbidden
from kaito.embedded.apiserver.store import Object

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 (a path)
_TOKEN_SECONDS = 3607
_PODS = GroupResource("", "pods")


def add_service_account(pod: Object, account: Object | None, suffix: str) -> None:
    """Completes `pod` in place. `account` is the stored ServiceAccount it names (None: refused with a 403)."""
    spec = pod.setdefault("spec", {})
    metadata = pod["metadata"]
    if "kubernetes.io/config.mirror" in (metadata.get("annotations") or {}):
        return
    name = spec.get("serviceAccountName") or "default"
    if account is None:
        place = f"{metadata['namespace']}/{name}"
        why = f'error looking up service account {place}: serviceaccount "{name}" not found'
        raise forbidden(_PODS, metadata.get("name", ""), why)
    spec["serviceAccountName"] = name
    spec["serviceAccount"] = name
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(secret) for secret in account["imagePullSecrets"]]
    if _mounts_token(spec, account):
        _mount_token(spec, f"kube-api-access-{suffix}")


def _mounts_token(spec: dict[str, Any], account: Object) -> bool:
    own = spec.get("automountServiceAccountToken")
    if own is not None:
        return bool(own)
    return account.get("automountServiceAccountToken") is not False


def _mount_token(spec: dict[str, Any], volume: str) -> None:
    for existing in spec.get("volumes") or ():
        if existing.get("name", "").startswith("kube-api-access-") and existing.get("projected"):
            volume = existing["name"]
    needed = False
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        mounts = container.get("volumeMounts") or []
        if any(mount.get("mountPath") == TOKEN_PATH for mount in mounts):
            continue
        container["volumeMounts"] = [*mounts, {"name": volume, "readOnly": True, "mountPath": TOKEN_PATH}]
        needed = True
    if needed and not any(existing.get("name") == volume for existing in spec.get("volumes") or ()):
        spec["volumes"] = [*(spec.get("volumes") or ()), _token_volume(volume)]


def _token_volume(name: str) -> dict[str, Any]:
    """The projected volume, in the shape and order the real plugin writes it."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources: list[dict[str, Any]] = [
        {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 420}}
