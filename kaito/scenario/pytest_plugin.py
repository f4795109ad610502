"""Runs scenario files under pytest: `--cluster TIER` chooses where, `run_scenario_file` runs one.

A test asks for the fixture and gives it a path; a failing step fails the test with the run's reason, and the reports
lie in the test's `tmp_path`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kaito.scenario.evidence import RunRecord


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--cluster`."""
    group = parser.getgroup("kaito")
    group.addoption("--cluster", default="embedded", choices=("embedded", "envtest"), help="the tier scenarios run on")


@pytest.fixture
def kaito_tier(request: pytest.FixtureRequest) -> str:
    """The tier asked for; the test is skipped with the reason where this machine lacks it."""
    from kaito.cluster.tiers import missing_for

    tier = str(request.config.getoption("--cluster"))
    reason = missing_for(tier)
    if reason:
        pytest.skip(reason)
    return tier


@pytest.fixture
def run_scenario_file(kaito_tier: str, tmp_path: Path) -> Callable[[Path], RunRecord]:
    """Runs a scenario on a fresh cluster; returns its record, or fails the test."""

    def run(path: Path) -> RunRecord:
        import asyncio

        from kaito.cluster.base import ClusterOptions
        from kaito.cluster.folders import ClusterFolder
        from kaito.cluster.tiers import create_cluster
        from kaito.scenario.loading import load_scenario
        from kaito.scenario.reporting import write_reports
        from kaito.scenario.runner import new_record, run_scenario
        from kaito.scenario.silence import SilentPresenter

        loaded = load_scenario(path)
        record = new_record(loaded, kaito_tier)

        async def work() -> None:
            options = ClusterOptions(mirrors=loaded.mirrors)
            cluster = create_cluster(kaito_tier, ClusterFolder(tmp_path / "cluster"), options)
            try:
                await cluster.start(lambda _: None)
                await run_scenario(loaded, cluster, record, SilentPresenter())
            finally:
                await cluster.stop()

        asyncio.run(work())
        write_reports(record, tmp_path / "report")
        if record.outcome != "passed":
            pytest.fail(f"{path}: {record.reason}", pytrace=False)
        return record

    return run
