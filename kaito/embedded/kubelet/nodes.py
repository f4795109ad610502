"""Nodes of the process kubelet: registration, status and heartbeats."""

from __future__ import annotations

import logging
import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kaito.embedded.addresses import HOST_ADDRESS
from kaito.embedded.kubelet.processes import procfs
from kaito.embedded.kubelet.settings import KubeletSettings
from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock
from kaito.kube.errors import AlreadyExists, NotFound
from kaito.kube.objects import format_micro_time, format_time, get_condition
from kaito.kube.resources import LEASES, NAMESPACES, NODES

logger = logging.getLogger(__name__)

SUBSTRATE_LABEL = "testbed.kaito.sh/substrate"
SUBSTRATE = "process"
LEASE_NAMESPACE = "kube-node-lease"
NOT_READY_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "AMD64": "amd64"}
_HEALTHY = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def architecture() -> str:
    """This machine's architecture in Kubernetes' words."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def machine_capacity(root: Path, settings: KubeletSettings) -> dict[str, str]:
    """What this machine has, as a node's capacity."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        memory = 8 * 2**30
    storage = shutil.disk_usage(root if root.exists() else "/").total
    return {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{memory // 1024}Ki",
        "ephemeral-storage": f"{storage // 1024}Ki",
        "pods": str(settings.max_pods),
    }


def node_labels(name: str) -> dict[str, str]:
    """The labels a kubelet gives its node."""
    return {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture(),
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": architecture(),
    }


class NodeKeeper:
    """Keeps one node alive in the API."""

    def __init__(
        self,
        client: KubeClient,
        clock: Clock,
        name: str,
        *,
        settings: KubeletSettings,
        capacity: Mapping[str, str],
        port: int,
    ) -> None:
        self.name = name
        self._client = client
        self._clock = clock
        self._settings = settings
        self._capacity = capacity
        self._port = port
        self._reported = float("-inf")
        self._lease: dict[str, Any] | None = None

    async def register(self) -> None:
        """Create the node; nothing when it is there."""
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": {SUBSTRATE_LABEL: SUBSTRATE, **node_labels(self.name)}},
            "spec": {},
        }
        try:
            await self._client.create(NODES, node)
        except AlreadyExists:
            labels = {"metadata": {"labels": {SUBSTRATE_LABEL: SUBSTRATE, **node_labels(self.name)}}}
            await self._client.patch(NODES, self.name, labels)

    async def beat(self, node: Mapping[str, Any]) -> None:
        """Renew the lease, and report the status when it is due or differs from what it should be."""
        await self._renew(node)
        status = self.status(node)
        due = self._clock.monotonic() - self._reported >= self._settings.status_period
        if due or not self._is_reported(node, status):
            await self._client.patch(NODES, self.name, {"status": status}, kind="strategic", subresource="status")
            self._reported = self._clock.monotonic()
        await self._tidy(node)

    def status(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """The node's status: resources that others wrote are kept, missing ones are this machine's."""
        now = format_time(self._clock.now())
        current = node.get("status") or {}
        conditions = []
        for kind, value, reason, message in _HEALTHY:
            known = get_condition(node, kind)
            same = known is not None and known.get("status") == value
            conditions.append(
                {
                    "type": kind,
                    "status": value,
                    "reason": reason,
                    "message": message,
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": (known or {}).get("lastTransitionTime") or now if same else now,
                }
            )
        capacity = {**self._capacity, **(current.get("capacity") or {})}
        allocatable = {**capacity, **(current.get("allocatable") or {})}
        return {
            "capacity": capacity,
            "allocatable": allocatable,
            "conditions": conditions,
            # The API server asks the Hostname first (its default preference), and no resolver knows our node names.
            "addresses": [
                {"type": "InternalIP", "address": HOST_ADDRESS},
                {"type": "Hostname", "address": HOST_ADDRESS},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "nodeInfo": {
                "machineID": procfs.boot_id().replace("-", ""),
                "systemUUID": procfs.boot_id(),
                "bootID": procfs.boot_id(),
                "kernelVersion": platform.release(),
                "osImage": f"{platform.system()} (process kubelet)",
                "containerRuntimeVersion": "process://1.0",
                "kubeletVersion": self._settings.version,
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": architecture(),
            },
        }

    @staticmethod
    def _is_reported(node: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
        current = node.get("status") or {}
        if any((current.get(key) or {}).items() < wanted[key].items() for key in ("capacity", "allocatable")):
            return False
        if current.get("daemonEndpoints") != wanted["daemonEndpoints"]:
            return False
        return all((get_condition(node, kind) or {}).get("status") == value for kind, value, _, _ in _HEALTHY)

    async def _renew(self, node: Mapping[str, Any]) -> None:
        now = format_micro_time(self._clock.now())
        if self._lease is not None:
            try:
                await self._client.patch(LEASES, self.name, {"spec": {"renewTime": now}}, LEASE_NAMESPACE)
            except NotFound:
                self._lease = None
            else:
                return
        spec = {
            "holderIdentity": self.name,
            "leaseDurationSeconds": self._settings.lease_duration,
            "renewTime": now,
        }
        owner = {"apiVersion": "v1", "kind": "Node", "name": self.name, "uid": node["metadata"]["uid"]}
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]},
            "spec": spec,
        }
        try:
            self._lease = await self._client.create(LEASES, lease)
        except AlreadyExists:
            patch = {"metadata": {"ownerReferences": [owner]}, "spec": spec}
            self._lease = await self._client.patch(LEASES, self.name, patch, LEASE_NAMESPACE)
        except NotFound:
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LEASE_NAMESPACE}}
            await self._client.create(NAMESPACES, namespace)
            self._lease = await self._client.create(LEASES, lease)

    async def _tidy(self, node: Mapping[str, Any]) -> None:
        """Labels a kubelet gives, and no taint that says the node is not ready: it is."""
        patch: dict[str, Any] = {}
        labels = node["metadata"].get("labels") or {}
        missing = {key: value for key, value in node_labels(self.name).items() if key not in labels}
        if missing:
            patch["metadata"] = {"labels": missing}
        taints = (node.get("spec") or {}).get("taints") or []
        kept = [taint for taint in taints if taint.get("key") not in NOT_READY_TAINTS]
        if len(kept) != len(taints) and get_condition(node, "Ready") is not None:
            patch.setdefault("metadata", {})["resourceVersion"] = node["metadata"]["resourceVersion"]
            patch["spec"] = {"taints": kept or None}
        if patch:
            await self._client.patch(NODES, self.name, patch)
