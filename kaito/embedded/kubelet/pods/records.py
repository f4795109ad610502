"""What the kubelet knows about the containers of a pod."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from kaito.embedded.kubelet.layout import ContainerLayout
from kaito.embedded.kubelet.logfile import ContainerLog
from kaito.embedded.kubelet.pods.backoff import Backoff
from kaito.embedded.kubelet.processes.runner import RunningProcess
from kaito.embedded.kubelet.volumes.mounting import ContainerTree
from kaito.kube.objects import format_time

Kind = Literal["init", "sidecar", "main", "ephemeral"]
FIELDS: dict[Kind, str] = {
    "init": "initContainers",
    "sidecar": "initContainers",
    "main": "containers",
    "ephemeral": "ephemeralContainers",
}
"""The field of a pod spec that holds containers of a kind."""
TERMINATION_LIMIT = 4096
"""Bytes kept of a termination message."""


@dataclass(frozen=True)
class Termination:
    """How a run ended."""

    exit_code: int
    reason: str
    message: str
    started_at: datetime | None
    finished_at: datetime
    container_id: str
    finished: float = 0.0
    """When, on the monotonic clock."""

    def as_state(self) -> dict[str, Any]:
        """As ``ContainerStateTerminated``."""
        state: dict[str, Any] = {"exitCode": self.exit_code, "reason": self.reason}
        if self.message:
            state["message"] = self.message
        state["startedAt"] = format_time(self.started_at) if self.started_at else None
        state["finishedAt"] = format_time(self.finished_at)
        if self.container_id:
            state["containerID"] = self.container_id
        if state["startedAt"] is None:
            del state["startedAt"]
        return state


@dataclass
class ContainerRun:
    """One run: a process with its log, its tree and what its probes said."""

    number: int
    container_id: str
    layout: ContainerLayout
    log: ContainerLog
    tree: ContainerTree
    process: RunningProcess
    environment: Mapping[str, str] = field(repr=False)
    cwd: Path
    rewritten: bool
    """Whether commands run in it get its mount paths rewritten."""
    started_at: datetime
    started: bool = False
    """Its startup probe succeeded, or it has none."""
    ready: bool = False
    created: bool = False
    """Its postStart hook is done: it counts as running."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    end_reason: str = ""
    """Why the kubelet ended it (``OOMKilled`` ...); empty when it ended by itself or was stopped."""
    stopping: bool = False
    replaced: bool = False
    """It is ended to be started anew at once: a probe failed, or its definition changed."""
    hook_error: str = ""
    """Why its postStart hook failed."""
    attached: int = 0
    """How many clients have been attached to it so far."""
    listeners: list[Any] = field(default_factory=list)
    """Attached clients: called with stream name and bytes."""
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)


@dataclass
class ContainerRecord:
    """One container of a pod over all its runs."""

    spec: Mapping[str, Any]
    kind: Kind
    crash: Backoff
    pull: Backoff
    restart_count: int = 0
    run: ContainerRun | None = None
    """The present run, or the last while its log is kept."""
    terminated: Termination | None = None
    """How the present run ended; None while it runs or before the first."""
    last: Termination | None = None
    """How the run before ended."""
    waiting: tuple[str, str] | None = None
    """Reason and message while it waits for something else than the start of the pod."""
    resources: Mapping[str, Any] = field(default_factory=dict)
    """What it has been given; behind the spec while a resize is pending."""
    image_id: str = ""
    not_before: float = 0.0
    """Monotonic time before which no start is attempted again."""
    trouble_at: float = 0.0
    """When an image could not be had last."""
    announced: float = -1.0
    """Which back-off (its end) was already reported by an event."""

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.spec["name"])

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self.run is not None and not self.run.ended.is_set()

    @property
    def started_once(self) -> bool:
        """Whether it has run at all."""
        return self.run is not None or self.terminated is not None or self.last is not None

    @property
    def event_path(self) -> str:
        """The field path that its events carry."""
        return f"spec.{FIELDS[self.kind]}{{{self.name}}}"
