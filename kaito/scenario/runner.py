"""Runs a loaded scenario on a started cluster, step by step."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import secrets
from importlib import metadata
from typing import Protocol

from kaito.cluster.backplane import create_registry_secret
from kaito.cluster.base import Cluster, ClusterError
from kaito.kube.client import Client
from kaito.kube.clock import Clock, SystemClock
from kaito.kube.errors import AlreadyExists, ApiError
from kaito.kube.resources import NAMESPACES
from kaito.scenario.evidence import RunRecord, StepRecord
from kaito.scenario.loading import LoadedScenario
from kaito.scenario.observing import Listener, Observer
from kaito.scenario.operations import OPERATIONS, Context, StepFailed
from kaito.scenario.schema import Step

VERSIONED = ("kaito", "kaito-runtime", "torch", "transformers", "peft", "bitsandbytes")
"""Distributions whose versions belong to the record."""


class Presenter(Listener, Protocol):
    """Shows a run while it goes on."""

    def step_began(self, title: str) -> None: ...

    def step_ended(self, record: StepRecord) -> None: ...


def new_record(loaded: LoadedScenario, tier: str) -> RunRecord:
    """A record with nothing in it but what is known before the run."""
    return RunRecord(
        scenario=loaded.scenario.metadata.name,
        file=str(loaded.path),
        tier=tier,
        environment=_environment(),
        steps=[StepRecord(step.title, step.operation[0]) for step in loaded.scenario.spec.steps],
    )


async def run_scenario(
    loaded: LoadedScenario, cluster: Cluster, record: RunRecord, presenter: Presenter, clock: Clock | None = None
) -> None:
    """Run every step in a namespace of its own and fill in `record`; a failing step ends the run.

    Raises nothing for a failing scenario: `record.outcome` and `record.reason` say how it went.
    """
    clock = clock or SystemClock()
    began = clock.monotonic()
    record.began = clock.now().isoformat(timespec="milliseconds")
    client = cluster.client("kaito-run")
    namespace = f"{loaded.scenario.metadata.name}-{secrets.token_hex(3)}"
    observer = Observer(client, namespace, record.evidence, presenter, clock)
    watching = asyncio.create_task(observer.run())
    context = Context(loaded, cluster, client, namespace, observer, record.evidence, clock)
    try:
        async with asyncio.timeout(loaded.scenario.spec.timeout):
            await _create_namespace(client, cluster, namespace)
            await observer.wait_synced()
            for step, step_record in zip(loaded.scenario.spec.steps, record.steps, strict=True):
                await _run_step(step, step_record, context, presenter, clock)
                if step_record.outcome != "passed":
                    record.reason = f"{step_record.title}: {step_record.message}"
                    break
            else:
                record.outcome = "passed"
    except TimeoutError:
        record.reason = f"the scenario did not end within {loaded.scenario.spec.timeout:.0f} s"
        unfinished = next((step for step in record.steps if step.began and step.outcome != "passed"), None)
        if unfinished is not None:
            record.reason += f"; it was at the step: {unfinished.title}"
    except (ApiError, ClusterError) as error:
        record.reason = str(error)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        record.phases = observer.phases
        record.ended = clock.now().isoformat(timespec="milliseconds")
        record.seconds = round(clock.monotonic() - began, 3)
        with contextlib.suppress(ApiError):
            await client.delete(NAMESPACES, namespace)
        await client.close()


async def _run_step(step: Step, record: StepRecord, context: Context, presenter: Presenter, clock: Clock) -> None:
    presenter.step_began(record.title)
    began = clock.monotonic()
    record.began = clock.now().isoformat(timespec="milliseconds")
    record.outcome = "failed"
    operation, arguments = step.operation
    context.step = record.title
    try:
        working = asyncio.ensure_future(OPERATIONS[operation](context, arguments))
        try:
            await asyncio.wait((working, context.cluster.failed), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise StepFailed(str(context.cluster.failed.result()))
            record.message = working.result()
            record.outcome = "passed"
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
    except (StepFailed, ApiError) as error:
        record.message = str(error)
    except asyncio.CancelledError:
        record.message = "stopped"
        raise
    finally:
        record.ended = clock.now().isoformat(timespec="milliseconds")
        record.seconds = round(clock.monotonic() - began, 3)
        presenter.step_ended(record)


async def _create_namespace(client: Client, cluster: Cluster, namespace: str) -> None:
    with contextlib.suppress(AlreadyExists):
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    await create_registry_secret(client, cluster.registry, namespace)


def _environment() -> dict[str, str]:
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for name in VERSIONED:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
