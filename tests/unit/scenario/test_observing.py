"""What keeps a workspace from getting on is known, and said once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kaito.kube.clock import SystemClock
from kaito.kube.fake import FakeClient
from kaito.kube.resources import WORKSPACES
from kaito.scenario.evidence import Evidence
from kaito.scenario.observing import Observer
from kaito.scenario.silence import SilentPresenter


def workspace(**reasons: str) -> dict[str, Any]:
    conditions = [
        {"type": kind, "status": "False", "reason": reason, "message": "told"} for kind, reason in reasons.items()
    ]
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "n"},
        "status": {"conditions": conditions},
    }


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ({"JobStarted": "FailedMount"}, "workspace w: FailedMount: told"),
        ({"InferenceReady": "ImagePullError"}, "workspace w: ImagePullError: told"),
        ({"WorkspaceSucceeded": "workspaceFailed"}, "workspace w failed: told"),
        ({"InferenceReady": "WorkspaceInferenceStatusPending"}, None),
    ],
)
async def test_a_workspace_is_stuck_by_what_time_does_not_mend(reasons: dict[str, str], expected: str | None) -> None:
    client = FakeClient()
    client.seed(workspace(**reasons), WORKSPACES)
    observer = Observer(client, "n", Evidence(), SilentPresenter(), SystemClock())  # type: ignore[arg-type]
    running = asyncio.create_task(observer.run())
    try:
        await observer.wait_synced()
        assert observer.why_stuck("w") == expected
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
