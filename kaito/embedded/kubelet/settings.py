"""Settings of the process kubelet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KubeletSettings:
    """Times are in seconds. The defaults are those of the kubelet of Kubernetes 1.34 unless a field says otherwise."""

    version: str = "v1.34.4"
    """``nodeInfo.kubeletVersion`` of every node."""

    local_node: str = "local"
    """Name of the untainted CPU node that the manager makes itself; empty for none."""

    max_pods: int = 110
    """``pods`` in a node's capacity where nobody else wrote it."""

    crash_backoff: float = 10.0
    """First wait before a container that ended is started again; doubles with every further end."""

    crash_backoff_max: float = 300.0
    """Longest wait; a container that ran for twice as long starts again without waiting."""

    pull_backoff: float = 10.0
    """First wait before an image that could not be had is tried again; doubles up to `crash_backoff_max`."""

    heartbeat_period: float = 10.0
    """Between two renewals of a node's Lease."""

    status_period: float = 300.0
    """Between two reports of a node's conditions when nothing changed."""

    lease_duration: int = 40
    """``leaseDurationSeconds`` of a node's Lease."""

    volume_period: float = 60.0
    """Between two refreshes of volumes whose content the API gives; a change of theirs is taken over at once."""

    eviction_period: float = 10.0
    """Between two looks at the size of volumes and containers that have a limit."""

    memory_period: float = 1.0
    """Between two looks at the memory of a container that has a limit."""

    retry: float = 2.0
    """Before volumes that could not be mounted, or containers that could not be configured, are tried again."""

    system_path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    """PATH of containers, behind the folders that the image table names, unless the manager's environment has one."""

    http_proxy: str | None = None
    """Address of the service proxy's HTTP forward proxy; given to containers as ``http_proxy`` when set."""

    kubernetes_service: tuple[str, int] | None = None
    """Host and port for ``KUBERNETES_SERVICE_HOST`` and ``_PORT``; without it the API server that the client uses."""
