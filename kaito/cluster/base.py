"""What a cluster is to the scenario runner and the command line, whatever tier it comes from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from kaito.cluster.mirrors import MirrorMap
from kaito.kube.access import Access
from kaito.kube.client import Client

Tier = Literal["embedded", "envtest"]
TIERS: tuple[Tier, ...] = ("embedded", "envtest")

Progress = Callable[[str], None]
"""Told what is being done, one short line at a time."""


class ClusterError(Exception):
    """A cluster that cannot be started or used: one sentence saying what, where and what to do."""


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """What may differ between two clusters of one tier."""

    operator: Literal["kaito", "none"] = "kaito"
    """`none`: no workspace controller, so that another Kaito-compatible operator can be put under test."""
    controllers: Literal["all", "none"] = "all"
    """`none`: no workload controllers and no scheduler, so that the real ones can be run instead."""
    provider: str = "fake-gpu"
    """The GPU node provider's entry point name."""
    mirrors: MirrorMap = field(default_factory=MirrorMap)
    """Added to the mirrors every cluster has."""
    images: Path | None = None
    """A further image table for the process kubelet."""


@dataclass(frozen=True)
class RegistryAccess:
    """The registry that stands in for outside ones, and the account it accepts."""

    url: str
    username: str
    password: str = field(repr=False)


class Cluster(Protocol):
    """A running cluster."""

    tier: Tier
    kubeconfig: Path

    @property
    def access(self) -> Access:
        """How to reach the API server as its administrator."""
        ...

    @property
    def registry(self) -> RegistryAccess:
        """The registry standing in for outside ones."""
        ...

    @property
    def http_proxy(self) -> str | None:
        """The HTTP proxy to reach services through; None where their own addresses answer."""
        ...

    async def start(self, progress: Progress) -> None:
        """Start everything; returns when workspaces can be applied. ClusterError when it cannot."""
        ...

    async def stop(self) -> None:
        """End every process, server and mount. Safe to call twice and after a failed start."""
        ...

    def client(self, user_agent: str) -> Client:
        """A client with the administrator's rights."""
        ...

    async def service_url(self, name: str, namespace: str, port: int) -> tuple[str, str | None]:
        """A base URL at which the service answers on this machine, and the HTTP proxy to use for it, if any."""
        ...

    async def set_registry_running(self, running: bool) -> None:
        """Take the registry down or bring it back on the same address (a fault scenarios inject)."""
        ...

    async def kill_container(self, namespace: str, pod: str, container: str) -> bool:
        """Kill a container's main process with SIGKILL; False when it is not running."""
        ...

    @property
    def failed(self) -> asyncio.Future[ClusterError]:
        """Done when a part of the cluster ended on its own: one sentence with the part, the reason and the log."""
        ...
