"""Containers of pods that another run of the kubelet had started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kaito.embedded.kubelet.pods.records import ContainerRecord, Termination
from kaito.kube.objects import parse_time

LOST = ("ContainerStatusUnknown", "The kubelet ended while the container ran; its process was ended too")
LOST_EXIT_CODE = 137


def restore(records: Sequence[ContainerRecord], pod: Mapping[str, Any], *, now: datetime, monotonic: float) -> None:
    """Take what the API says about containers as their past: those that ran are lost, ended ones stay ended."""
    status = pod.get("status") or {}
    fields = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    by_name = {entry["name"]: entry for field in fields for entry in status.get(field) or ()}
    for record in records:
        entry = by_name.get(record.name)
        if entry is None:
            continue
        record.restart_count = int(entry.get("restartCount") or 0)
        record.image_id = entry.get("imageID") or ""
        state = entry.get("state") or {}
        past = (entry.get("lastState") or {}).get("terminated")
        record.last = _ended(past, monotonic) if past else None
        if ended := state.get("terminated"):
            record.terminated = _ended(ended, monotonic)
        elif running := state.get("running"):
            record.terminated = Termination(
                exit_code=LOST_EXIT_CODE,
                reason=LOST[0],
                message=LOST[1],
                started_at=parse_time(running["startedAt"]) if running.get("startedAt") else None,
                finished_at=now,
                container_id=entry.get("containerID") or "",
                finished=monotonic,
            )
        elif record.last is not None:
            record.terminated, record.last = record.last, None


def _ended(state: Mapping[str, Any], monotonic: float) -> Termination:
    return Termination(
        exit_code=int(state.get("exitCode") or 0),
        reason=state.get("reason") or "",
        message=state.get("message") or "",
        started_at=parse_time(state["startedAt"]) if state.get("startedAt") else None,
        finished_at=parse_time(state["finishedAt"]),
        container_id=state.get("containerID") or "",
        finished=monotonic,
    )
