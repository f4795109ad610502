"""What all pods of a kubelet share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kaito.embedded.kubelet.images import ImageTable
from kaito.embedded.kubelet.ipam import AddressPool
from kaito.embedded.kubelet.layout import KubeletLayout
from kaito.embedded.kubelet.processes.runner import ProcessRunner
from kaito.embedded.kubelet.settings import KubeletSettings
from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock
from kaito.kube.events import EventRecorder

PullCheck = Callable[[str, list[dict[str, Any]]], Awaitable[str | None]]
"""Asks an image's registry whether a pod may have it: (image, the docker configs of its pull secrets) -> why not, or
None. What it answers None for is looked up in the image table."""


@dataclass(frozen=True)
class Host:
    """Constructor arguments of the kubelet, and what it made of them once."""

    client: KubeClient
    clock: Clock
    runner: ProcessRunner
    images: ImageTable
    layout: KubeletLayout
    pool: AddressPool
    events: EventRecorder
    settings: KubeletSettings
    environment: Mapping[str, str]
    """Variables that every container gets: an allow-list of the kubelet's own, such as LANG or HF_HOME."""
    allocatable: Callable[[str], Mapping[str, str]]
    """Node name -> its allocatable resources."""
    node: Callable[[str], Mapping[str, Any] | None]
    """Node name -> the Node, as far as it is known."""
    neighbours: Callable[[str, str], list[dict[str, Any]]]
    """(node, uid) -> the other pods that use the node's resources."""
    pull_check: PullCheck | None = None
