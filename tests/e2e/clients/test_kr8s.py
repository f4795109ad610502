"""kr8s: objects that refresh, wait, log, run commands and forward ports by themselves."""

from __future__ import annotations

import asyncio

import httpx
import kr8s
import pytest
from kr8s.asyncio.objects import ConfigMap, Pod, new_class

from tests.e2e.clients.conftest import API_VERSION, NAMESPACE, PAGE, POD, PORT, widget

pytestmark = pytest.mark.e2e


@pytest.fixture
async def api(kubeconfig: str) -> kr8s.asyncio.Api:
    return await kr8s.asyncio.api(kubeconfig=kubeconfig, namespace=NAMESPACE)


async def test_an_object_is_created_patched_refreshed_and_deleted(api: kr8s.asyncio.Api) -> None:
    name = {"name": "kr8s", "namespace": NAMESPACE}
    made = await ConfigMap({"metadata": name, "data": {"a": "b"}}, api=api)
    await made.create()
    await made.patch({"data": {"c": "d"}})
    again = await ConfigMap.get("kr8s", namespace=NAMESPACE, api=api)
    assert dict(again.data) == {"a": "b", "c": "d"}
    await again.label(origin="kr8s")
    await made.refresh()
    assert made.labels["origin"] == "kr8s"
    found = [item.name async for item in api.get("configmaps", label_selector="origin=kr8s")]
    assert found == ["kr8s"]
    await made.delete()
    await made.wait("delete", timeout=20)
    assert not await made.exists()


async def test_a_pod_is_created_waited_for_run_in_and_deleted(api: kr8s.asyncio.Api) -> None:
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", "echo started; sleep 1000"]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    pod = await Pod({"metadata": {"name": "kr8s", "namespace": NAMESPACE}, "spec": spec}, api=api)
    await pod.create()
    await pod.wait("condition=Ready", timeout=30)
    assert await pod.ready()
    done = await pod.exec(["sh", "-c", "echo here; exit 0"])
    assert done.stdout == b"here\n"
    failed = await pod.exec(["sh", "-c", "echo there >&2; exit 4"], check=False)
    assert (failed.returncode, failed.stderr) == (4, b"there\n")
    assert [line async for line in pod.logs()] == ["started"]
    await pod.delete()
    await pod.wait("delete", timeout=30)


async def test_a_port_is_forwarded(api: kr8s.asyncio.Api) -> None:
    pod = await Pod.get(POD, namespace=NAMESPACE, api=api)
    async with pod.portforward(PORT, local_port=0) as port, httpx.AsyncClient() as web:
        for _ in range(3):
            answer = await web.get(f"http://127.0.0.1:{port}/index.html", headers={"connection": "close"})
            assert answer.text.strip() == PAGE


async def test_a_kind_unknown_before_is_looked_up_by_discovery(api: kr8s.asyncio.Api) -> None:
    widget_class = new_class("Widget", version=API_VERSION, namespaced=True, asyncio=True)
    content = widget("kr8s", size=2)
    content["metadata"]["namespace"] = NAMESPACE
    made = await widget_class(content, api=api)
    await made.create()
    assert made.spec.colour == "grey"
    by_short_name = [item.name async for item in api.get("wdg", namespace=NAMESPACE)]
    assert by_short_name == ["kr8s"]

    async def change() -> None:
        await asyncio.sleep(0.2)
        await made.patch({"status": {"phase": "Made"}}, subresource="status")

    changing = asyncio.create_task(change())
    async with asyncio.timeout(20):
        async for kind, seen in api.watch(f"widgets.{API_VERSION.split('/')[0]}", namespace=NAMESPACE):
            if kind == "MODIFIED":
                assert seen.raw.status.phase == "Made"
                break
    await changing
    await made.delete()
