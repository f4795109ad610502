"""What each kind of step does."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from kaito.catalog.nearest import shortened
from kaito.cluster.base import Cluster
from kaito.kube.client import Client
from kaito.kube.clock import Clock
from kaito.kube.discovery import resource_named, resource_of
from kaito.kube.errors import ApiError, NotFound
from kaito.kube.objects import get_condition
from kaito.kube.resources import Resource
from kaito.scenario.asking import AskError, ask
from kaito.scenario.evidence import Answer, Evidence
from kaito.scenario.loading import LoadedScenario
from kaito.scenario.observing import Observer
from kaito.scenario.schema import Ask, Assert, Fault, ObjectReference, Wait

FIELD_MANAGER = "kaito-run"
STUCK_SECONDS = 8.0
"""How long something may look hopeless before a wait gives up on it."""
POLL_SECONDS = 0.25


class StepFailed(Exception):
    """A step that did not do what it should; the text says why, in one sentence."""


@dataclass
class Context:
    """What the steps of one run share."""

    loaded: LoadedScenario
    cluster: Cluster
    client: Client
    namespace: str
    observer: Observer
    evidence: Evidence
    clock: Clock
    step: str = ""
    """The title of the step that is running."""


async def apply(context: Context, name: str) -> str:
    """Server-side apply of a manifest's objects, unknown fields refused."""
    applied = []
    for manifest in context.loaded.manifests[name]:
        metadata = manifest["metadata"]
        try:
            resource = await resource_of(context.client, manifest["apiVersion"], manifest["kind"])
            obj = _placed(manifest, resource, context.namespace)
            metadata = obj["metadata"]
            await context.client.patch(
                resource,
                metadata["name"],
                obj,
                metadata.get("namespace"),
                kind="apply",
                field_manager=FIELD_MANAGER,
                force=True,
                field_validation="Strict",
            )
        except ApiError as error:
            said = shortened(error.message)
            raise StepFailed(f"{name}: {manifest['kind']} {metadata['name']} was refused: {said}") from error
        applied.append(f"{resource.kind.lower()}/{metadata['name']}")
    return f"applied {', '.join(applied)}"


async def delete(context: Context, name: str) -> str:
    """Delete a manifest's objects; those already gone are fine."""
    deleted = []
    for manifest in context.loaded.manifests[name]:
        resource = await resource_of(context.client, manifest["apiVersion"], manifest["kind"])
        metadata = _placed(manifest, resource, context.namespace)["metadata"]
        try:
            await context.client.delete(resource, metadata["name"], metadata.get("namespace"), propagation="Background")
        except NotFound:
            continue
        deleted.append(f"{resource.kind.lower()}/{metadata['name']}")
    return f"deleted {', '.join(deleted) or 'nothing'}"


async def wait(context: Context, arguments: Wait) -> str:
    """Wait for a condition or for absence; gives up early on what cannot come true any more."""
    resource = _resource(arguments.object)
    kind, _, status = (arguments.condition or "").partition("=")
    deadline = context.clock.monotonic() + arguments.timeout
    stuck_since: float | None = None
    while True:
        found = await _find(context, resource, arguments.object.name)
        if arguments.absent:
            if found is None:
                return f"{arguments.object} is gone"
        elif found is not None:
            condition = get_condition(found, kind)
            if condition and condition["status"] == (status or "True"):
                return f"{kind} is {condition['status']}: {condition.get('message', '')}"
        now = context.clock.monotonic()
        stuck = context.observer.why_stuck(arguments.object.name) if resource.kind == "Workspace" else None
        if stuck and not arguments.absent:
            stuck_since = now if stuck_since is None else stuck_since
            if now - stuck_since >= STUCK_SECONDS or "failed:" in stuck:
                raise StepFailed(stuck)
        else:
            stuck_since = None
        if now >= deadline:
            raise StepFailed(_timed_out(context, arguments, found, kind))
        await _next_change(context, min(POLL_SECONDS, deadline - now))


async def ask_service(context: Context, arguments: Ask) -> str:
    """Ask every fact and compare."""
    facts = context.loaded.facts[arguments.facts]
    try:
        replies = await ask(
            context.cluster,
            arguments.service,
            context.namespace,
            facts,
            model=arguments.model,
            timeout=arguments.timeout,
        )
    except AskError as error:
        raise StepFailed(str(error)) from error
    for reply in replies:
        context.evidence.answers.append(
            Answer(
                step=context.step,
                service=arguments.service,
                model=arguments.model,
                prompt=reply.fact.prompt,
                expected=reply.fact.answer,
                answer=reply.answer,
            )
        )
    wrong = [reply for reply in replies if reply.exact != (arguments.expect == "exact")]
    if wrong:
        first = wrong[0]
        wanted = f"{first.fact.answer!r} was expected" if arguments.expect == "exact" else "it should not know that"
        raise StepFailed(
            f"{len(wrong)} of {len(replies)} answers are not as expected; "
            f"to {first.fact.prompt!r} the answer was {first.answer!r}, {wanted}"
        )
    known = sum(reply.exact for reply in replies)
    return f"{known} of {len(replies)} facts answered exactly, as expected"


async def check(context: Context, arguments: Assert) -> str:
    """Evaluate expressions until all hold or the time is over."""
    deadline = context.clock.monotonic() + arguments.timeout
    while True:
        failing = [expression for expression in arguments.that if not await _holds(context, arguments, expression)]
        if not failing:
            return f"{len(arguments.that)} expressions hold"
        remaining = deadline - context.clock.monotonic()
        if remaining <= 0:
            subject = str(arguments.object) if arguments.object else "the evidence"
            raise StepFailed(f"does not hold for {subject} after {arguments.timeout:.0f} s: {failing[0]}")
        await _next_change(context, min(POLL_SECONDS, remaining))


async def inject(context: Context, arguments: Fault) -> str:
    """Break or mend something."""
    if arguments.registry is not None:
        await context.cluster.set_registry_running(arguments.registry == "up")
        return f"registry {arguments.registry}"
    key, _, value = (arguments.kill or "").partition("=")

    def selected(pod: dict[str, Any]) -> bool:
        labels = pod["metadata"].get("labels") or {}
        return bool(labels.get(key) == value and (pod.get("status") or {}).get("phase") == "Running")

    while True:
        seen = arguments.after_event is None or arguments.after_event in context.evidence.events
        pods = context.observer.pods(selected) if seen else []
        killed = []
        for pod in pods:
            container = pod["spec"]["containers"][0]["name"]
            if await context.cluster.kill_container(context.namespace, pod["metadata"]["name"], container):
                killed.append(pod["metadata"]["name"])
        if killed:
            return f"killed {', '.join(killed)}"
        await _next_change(context, POLL_SECONDS)


_LAST_ERROR = " (last reconcile error: "
"""How the operator adds to a condition's message why its last pass failed."""
OPERATIONS: dict[str, Callable[[Context, Any], Awaitable[str]]] = {
    "apply": apply,
    "delete": delete,
    "wait": wait,
    "ask": ask_service,
    "assert": check,
    "fault": inject,
}
"""By the step's key in the scenario file; each returns one line about what it did, or raises StepFailed."""


def _placed(manifest: dict[str, Any], resource: Resource, namespace: str) -> dict[str, Any]:
    """The manifest in the run's namespace."""
    obj = copy.deepcopy(manifest)
    if resource.namespaced:
        obj["metadata"]["namespace"] = namespace
    return obj


def _resource(reference: ObjectReference) -> Resource:
    try:
        return resource_named(reference.kind)
    except ValueError as error:
        raise StepFailed(str(error)) from error


async def _find(context: Context, resource: Resource, name: str) -> dict[str, Any] | None:
    namespace = context.namespace if resource.namespaced else None
    try:
        return await context.client.get(resource, name, namespace)
    except NotFound:
        return None
    except ApiError as error:
        if error.status in (0, 429) or error.status >= 500:
            return None  # A server that is down for a moment is no failed wait.
        raise


async def _next_change(context: Context, seconds: float) -> None:
    context.observer.changed.clear()
    try:
        async with asyncio.timeout(max(0.01, seconds)):
            await context.observer.changed.wait()
    except TimeoutError:
        return


def _timed_out(context: Context, arguments: Wait, found: dict[str, Any] | None, kind: str) -> str:
    if arguments.absent:
        return f"{arguments.object} is still there after {arguments.timeout:.0f} s"
    if found is None:
        return f"{arguments.object} does not exist after {arguments.timeout:.0f} s"
    condition = get_condition(found, kind)
    state = f"{condition['status']}: {condition.get('message')}" if condition else "not set"
    said = f"{kind} of {arguments.object} is {state} after {arguments.timeout:.0f} s"
    return joined(said, context.observer.last_words(arguments.object.name)[:4])


def joined(said: str, words: list[str]) -> str:
    """`said`, followed by what of `words` it does not say yet: conditions repeat each other's message and error."""
    for word in words:
        text, marker, error = word.partition(_LAST_ERROR)
        word = text if error and error in said else text + marker + error
        if word.partition(": ")[2] not in said:
            said += f"; {word}"
    return said


async def _holds(context: Context, arguments: Assert, expression: str) -> bool:
    if arguments.object is None:
        subject: Any = context.evidence.as_json()
    else:
        subject = await _find(context, _resource(arguments.object), arguments.object.name)
    try:
        return bool(jmespath.search(expression, subject))
    except JMESPathError as error:
        raise StepFailed(f"{expression!r} is not a JMESPath expression: {error}") from error
