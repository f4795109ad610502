"""What HTTP servers answer to probes and hooks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from kaito.embedded.kubelet.probing.checks import Outcome, check
from kaito.embedded.kubelet.probing.prober import ProbeChange, Prober
from kaito.kube.clock import VirtualClock


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound("http://other.example/x")

    async def here(request: web.Request) -> web.Response:
        raise web.HTTPFound("/there")

    async def loop(request: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently("/loop")

    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=503, text="no")

    app = web.Application()
    app.router.add_get("/away", away)
    app.router.add_get("/here", here)
    app.router.add_get("/there", broken)
    app.router.add_get("/loop", loop)
    app.router.add_get("/broken", broken)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def ask(port: int, path: str) -> Outcome:
    async def no_command(words: list[str], seconds: float) -> tuple[int | None, str]:
        raise AssertionError("an HTTP check runs no command")

    return await check({"httpGet": {"port": port, "path": path}}, {"name": "c"}, "127.0.0.1", no_command)


async def test_a_redirect_to_another_host_is_a_success_with_a_warning(port: int) -> None:
    outcome = await ask(port, "/away")
    assert (outcome.healthy, outcome.warning) == (True, True)
    assert outcome.output.startswith("Probe terminated redirects, Response body: ")


async def test_a_redirect_to_the_same_host_is_followed_so_far(port: int) -> None:
    assert await ask(port, "/here") == Outcome(False, "HTTP probe failed with statuscode: 503", answered=True)
    assert await ask(port, "/loop") == Outcome(False, 'Get "/loop": stopped after 10 redirects')


async def test_a_bad_status_fails_a_probe_but_is_an_answer_all_the_same(port: int) -> None:
    outcome = await ask(port, "/broken")
    assert (outcome.healthy, outcome.answered) == (False, True)
    assert outcome.output == "HTTP probe failed with statuscode: 503"


async def test_a_port_that_has_no_such_name_says_nothing_about_the_container(port: int) -> None:
    async def no_command(words: list[str], seconds: float) -> tuple[int | None, str]:
        return 0, ""

    outcome = await check({"httpGet": {"port": "web"}}, {"name": "c"}, "127.0.0.1", no_command)
    assert outcome == Outcome(False, 'strconv.Atoi: parsing "web": invalid syntax', unknown=True)


async def test_every_warning_of_a_probe_is_reported() -> None:
    clock = VirtualClock()
    reported: list[ProbeChange] = []

    async def warn(probe: Mapping[str, Any]) -> Outcome:
        return Outcome(True, "mind the gap", warning=True)

    prober = Prober({"readinessProbe": {"periodSeconds": 1}}, warn, clock, reported.append)
    task = asyncio.create_task(prober.run())
    await clock.advance(2.5, settle=20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [(change.warning, change.threshold) for change in reported] == [(True, True), (True, False), (True, False)]
