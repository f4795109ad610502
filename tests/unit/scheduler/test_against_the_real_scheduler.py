"""Preemption and the scheduler's events: what kube-scheduler 1.34.4 did in the same stories was recorded.

`python -m tests.unit.scheduler.record` writes the recording anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.scheduler.clusters import REAL_SCHEDULER, with_our_scheduler, with_the_real_scheduler
from tests.unit.scheduler.stories import STORIES, tell

RECORDING = Path(__file__).parent / "data" / "real-1.34.json"
RECORDED = json.loads(RECORDING.read_text())


def test_every_story_was_recorded() -> None:
    assert list(RECORDED) == list(STORIES)


@pytest.mark.parametrize("name", STORIES)
async def test_ours_does_as_the_real_one_did(tmp_path: Path, name: str) -> None:
    async with with_our_scheduler(tmp_path) as client:
        assert await tell(client, name, quiet=0.25) == RECORDED[name]


async def test_the_recording_is_what_the_real_one_does(tmp_path: Path) -> None:
    if not REAL_SCHEDULER.exists():
        pytest.skip("KUBEBUILDER_ASSETS names no folder with a kube-scheduler")
    async with with_the_real_scheduler(tmp_path) as client:
        for name in ("the_younger_of_two_equal_pods_is_the_victim", "a_disruption_budget_counts_more_than_priority"):
            assert await tell(client, name, quiet=1.0) == RECORDED[name]
