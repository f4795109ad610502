"""Commands the kubelet runs inside containers by itself: lifecycle handlers and exec probes."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from typing import Any

from kaito.embedded.kubelet.fields import PodFacts
from kaito.embedded.kubelet.pods.records import ContainerRecord, ContainerRun
from kaito.embedded.kubelet.pods.starting import exec_spec
from kaito.embedded.kubelet.probing.checks import BODY_LIMIT, check
from kaito.embedded.kubelet.processes.runner import ProcessRunner, StartFailed, StreamName
from kaito.kube.clock import Clock


async def run_command(
    runner: ProcessRunner, clock: Clock, run: ContainerRun, command: list[str], timeout: float | None
) -> tuple[int | None, str]:
    """Run a command in a container: exit code (None when ``timeout`` seconds were not enough) and output.

    Raises `StartFailed`.
    """
    output = bytearray()

    def sink(stream: StreamName, data: bytes) -> None:
        if len(output) < BODY_LIMIT:
            output.extend(data[: BODY_LIMIT - len(output)])

    if not command:
        raise StartFailed("no command")
    process = await runner.start(exec_spec(run, command, stdin=False, tty=False), sink)
    ending = asyncio.ensure_future(process.wait())
    limit = asyncio.ensure_future(clock.sleep(timeout)) if timeout is not None else None
    try:
        await asyncio.wait([ending, limit] if limit else [ending], return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            return ending.result(), output.decode(errors="replace")
        return None, output.decode(errors="replace")
    finally:
        if limit:
            limit.cancel()
        if not ending.done():
            process.signal(signal.SIGKILL)
            await asyncio.gather(ending, return_exceptions=True)


async def run_handler(
    runner: ProcessRunner,
    clock: Clock,
    record: ContainerRecord,
    run: ContainerRun,
    handler: Mapping[str, Any],
    facts: PodFacts,
) -> str | None:
    """Run a ``postStart`` or ``preStop`` handler: why it failed, or None.

    Source of the texts: pkg/kubelet/lifecycle/handlers.go.
    """
    metadata = facts.pod["metadata"]
    where = (
        f'for Container "{record.name}" in Pod "{metadata["name"]}_{metadata.get("namespace", "")}({metadata["uid"]})" '
        "failed - error: "
    )
    if action := handler.get("sleep"):
        await clock.sleep(float(action.get("seconds") or 0))
        return None
    if action := handler.get("exec"):
        words = list(action.get("command") or ())
        line = " ".join(words)
        try:
            code, output = await run_command(runner, clock, run, words, None)
        except StartFailed as error:
            return f'Exec lifecycle hook ([{line}]) {where}{error}, message: ""'
        if code == 0:
            return None
        said = json.dumps(output[:1000], ensure_ascii=False)
        return f"Exec lifecycle hook ([{line}]) {where}command '{line}' exited with {code}: , message: {said}"
    if action := handler.get("httpGet"):
        outcome = await check({**handler, "timeoutSeconds": 30}, record.spec, facts.pod_ip, _no_command)
        # The status is not looked at: any answer is a success.
        return None if outcome.answered else f"HTTP lifecycle hook ({action.get('path', '')}) {where}{outcome.output}"
    return "handlers other than exec, httpGet and sleep are not implemented by the process kubelet"


async def _no_command(command: list[str], timeout: float) -> tuple[int | None, str]:
    return 126, "no command"
