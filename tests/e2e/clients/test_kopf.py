"""kopf: an operator that lives on watches, patches, finalizers, events and owner references."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import kopf
import pytest

from tests.e2e.clients.conftest import GROUP, NAMESPACE, VERSION, widget
from tests.e2e.kubectl import Kubectl, eventually

pytestmark = pytest.mark.e2e
FINALIZER = f"{GROUP}/operator"


def make_registry(told: list[str], create: Callable[[dict[str, Any]], None]) -> kopf.OperatorRegistry:
    """The operator's handlers: a child for every widget, a status, and a farewell."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**arguments: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_kubeconfig(**arguments)

    @kopf.on.startup(registry=registry)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.persistence.finalizer = FINALIZER
        settings.posting.enabled = True

    @kopf.on.create(GROUP, VERSION, "widgets", registry=registry)
    def created(body: kopf.Body, spec: kopf.Spec, name: str, patch: kopf.Patch, **_: Any) -> None:
        child = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"{name}-child"},
            "data": {"size": str(spec["size"])},
        }
        kopf.adopt(child, owner=body)
        create(child)
        patch.status["phase"] = "Made"
        kopf.info(body, reason="ChildMade", message="the widget has its child")

    @kopf.on.update(GROUP, VERSION, "widgets", field="spec.size", registry=registry)
    def resized(old: int, new: int, patch: kopf.Patch, **_: Any) -> None:
        told.append(f"{old} -> {new}")
        patch.status["size"] = new

    @kopf.on.delete(GROUP, VERSION, "widgets", registry=registry)
    def deleted(name: str, **_: Any) -> None:
        told.append(f"{name} deleted")

    return registry


@contextlib.asynccontextmanager
async def operating(registry: kopf.OperatorRegistry) -> AsyncIterator[None]:
    """The operator in this event loop, stopped cleanly at the end."""
    ready, stop = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(
        kopf.operator(registry=registry, namespaces=[NAMESPACE], standalone=True, ready_flag=ready, stop_flag=stop)
    )
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED, timeout=30)
    waiting.cancel()
    try:
        assert ready.is_set(), running
        yield
    finally:
        stop.set()
        await running


async def test_an_operator_makes_children_reports_status_and_lets_go(
    answering: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", answering.kubeconfig)
    told: list[str] = []
    registry = make_registry(told, lambda child: print(answering("create", "-f", "-", stdin=json.dumps(child))))

    async def until(condition: Callable[[], Any], what: str) -> Any:
        return await asyncio.to_thread(eventually, condition, seconds=20, what=what)

    def phase() -> str:
        return answering("get", "widget", "kopf", "-o", "jsonpath={.status.phase}")

    async with operating(registry):
        await asyncio.to_thread(answering.apply, json.dumps(widget("kopf", size=1)))
        await until(lambda: phase() == "Made", "the status says that the child was made")
        made = await asyncio.to_thread(answering.json, "get", "widget", "kopf")
        assert made["metadata"]["finalizers"] == [FINALIZER]
        child = await asyncio.to_thread(answering.json, "get", "configmap", "kopf-child")
        (owner,) = child["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Widget", made["metadata"]["uid"])
        assert (owner["controller"], owner["blockOwnerDeletion"]) == (True, True)

        await asyncio.to_thread(answering.apply, json.dumps(widget("kopf", size=5)))
        await until(lambda: "1 -> 5" in told, "the operator hears of the change")
        query = ("get", "events", "--field-selector=reason=ChildMade", "-o", "jsonpath={.items[*].message}")
        message = await until(lambda: answering(*query), "the operator's event")
        assert message == "the widget has its child"

        await asyncio.to_thread(answering, "delete", "widget", "kopf", "--timeout=20s")
        assert told[-1] == "kopf deleted"
        await until(lambda: "kopf-child" not in answering.names("configmaps"), "the child collected with its owner")
