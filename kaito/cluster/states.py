"""What a background cluster says about itself, for `kaito status` and for whoever starts it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kaito.cluster.folders import ClusterFolder
from kaito.cluster.locking import owner

Phase = Literal["stopped", "starting", "running", "stopping"]


@dataclass(frozen=True, kw_only=True)
class DaemonState:
    """A background cluster at one moment; everything but name and phase is known from `running` on."""

    name: str
    phase: Phase = "stopped"
    problem: str | None = None
    """Which part of a running cluster has ended on its own, and why; the rest may still answer."""
    tier: str | None = None
    pid: int | None = None
    server: str | None = None
    registry: str | None = None
    kubeconfig: str | None = None
    log: str | None = None
    operator: str | None = None
    http_proxy: str | None = None
    """Where to reach services through when their own addresses do not answer on this machine."""

    @property
    def running(self) -> bool:
        """Whether it has been started and not been stopped; it may have a problem all the same."""
        return self.phase == "running"

    def as_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return {"running": self.running, **asdict(self)}


def read_state(name: str) -> DaemonState:
    """The state of a named cluster; `stopped` when its process is gone, however it ended."""
    folder = ClusterFolder.named(name)
    pid = owner(folder)
    if pid is None:
        return DaemonState(name=name)
    try:
        fields = json.loads(folder.daemon.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        fields = {}
    if fields.get("pid") != pid:  # What lies there was written by one that crashed before.
        fields = {"phase": "starting", "pid": pid, "log": str(folder.log)}
    return DaemonState(**{**fields, "name": name})


def write_state(folder: ClusterFolder, state: DaemonState) -> None:
    """Make this the state, whole or not at all."""
    temporary = folder.daemon.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(state)))
    os.replace(temporary, folder.daemon)
