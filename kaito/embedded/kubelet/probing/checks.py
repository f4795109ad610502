"""One probe, once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from kaito.embedded.addresses import socket_address
from kaito.embedded.kubelet.probing.grpc_health import CallFailed, NotConnected, serving_status
from kaito.embedded.kubelet.processes.runner import StartFailed

BODY_LIMIT = 10 * 1024
"""Bytes of an HTTP answer or of a command's output that a probe reads (the kubelet's limit)."""
MOST_REDIRECTS = 10
"""Redirects to the same host that a probe follows."""


@dataclass(frozen=True)
class Outcome:
    """Whether a probe succeeded, and what it said."""

    healthy: bool
    output: str = ""
    warning: bool = False
    """It succeeded, with something to say."""
    answered: bool = False
    """An HTTP server gave an answer, whatever its status."""
    unknown: bool = False
    """The probe itself could not be made: nothing is known about the container, and nothing follows."""


Command = Callable[[list[str], float], Awaitable[tuple[int | None, str]]]
"""Runs a command in the container within so many seconds: (exit code or None on timeout, output). StartFailed."""


async def check(probe: Mapping[str, Any], container: Mapping[str, Any], pod_ip: str, run: Command) -> Outcome:
    """Run ``probe`` against the container of the pod at API address ``pod_ip``."""
    timeout = float(probe.get("timeoutSeconds") or 1)
    if action := probe.get("httpGet"):
        return await _http(action, container, pod_ip, timeout)
    if action := probe.get("tcpSocket"):
        return await _tcp(action, container, pod_ip, timeout)
    if action := probe.get("grpc"):
        return await _grpc(action, pod_ip, timeout)
    command = list((probe.get("exec") or {}).get("command") or ())
    try:
        code, output = await run(command, timeout)
    except StartFailed as error:
        return Outcome(False, f"failed to exec in container: {error}", unknown=True)
    if code is None:
        return Outcome(False, f'command timed out: "{" ".join(command)}" timed out after {timeout:g}s')
    return Outcome(code == 0, output)


def port_number(port: Any, container: Mapping[str, Any]) -> int:
    """A port given as a number or as the name of one of the container's ports. ValueError."""
    if isinstance(port, int):
        return port
    for entry in container.get("ports") or ():
        if entry.get("name") == port:
            return int(entry["containerPort"])
    if str(port).isdigit():
        return int(port)
    raise ValueError(f'strconv.Atoi: parsing "{port}": invalid syntax')  # the last thing that the kubelet tries


async def _tcp(action: Mapping[str, Any], container: Mapping[str, Any], pod_ip: str, timeout: float) -> Outcome:
    try:
        port = port_number(action["port"], container)
    except ValueError as error:
        return Outcome(False, str(error), unknown=True)
    host = action.get("host") or pod_ip
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(socket_address(host), port)
    except TimeoutError:
        return Outcome(False, f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Outcome(False, f"dial tcp {host}:{port}: connect: {_reason(error)}")
    writer.close()
    return Outcome(True)


async def _http(action: Mapping[str, Any], container: Mapping[str, Any], pod_ip: str, timeout: float) -> Outcome:
    try:
        port = port_number(action["port"], container)
    except ValueError as error:
        return Outcome(False, str(error), unknown=True)
    host = action.get("host") or pod_ip
    scheme = (action.get("scheme") or "HTTP").lower()
    path = action.get("path") or "/"
    path = path if path.startswith("/") else f"/{path}"
    url = f"{scheme}://{host}:{port}{path}"
    headers = {"User-Agent": "kube-probe/1.34", "Accept": "*/*", "Connection": "close"}
    for header in action.get("httpHeaders") or ():
        headers[header["name"]] = header.get("value", "")
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as session:
            for _ in range(1 + MOST_REDIRECTS):
                status, body, location = await _get(session, url, host, headers)
                target = urljoin(url, location)
                elsewhere = urlsplit(target).hostname != host
                if not 300 <= status < 400 or not location or elsewhere:
                    break
                url = target
            else:
                return Outcome(False, f'Get "{location}": stopped after {MOST_REDIRECTS} redirects')
    except TimeoutError:
        return Outcome(
            False, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        )
    except aiohttp.ClientConnectorError as error:
        return Outcome(False, f'Get "{url}": dial tcp {host}:{port}: connect: {_reason(error.os_error)}')
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Outcome(False, f'Get "{url}": {error or type(error).__name__}')
    if 200 <= status < 400:
        if status >= 300:
            return Outcome(True, f"Probe terminated redirects, Response body: {body}", warning=True, answered=True)
        return Outcome(True, body, answered=True)
    return Outcome(False, f"HTTP probe failed with statuscode: {status}", answered=True)


async def _get(session: aiohttp.ClientSession, url: str, host: str, headers: Mapping[str, str]) -> tuple[int, str, str]:
    """One request to ``url``, whose host is ``host``: status, body and where it redirects to."""
    parts = urlsplit(url)
    here = parts._replace(netloc=parts.netloc.replace(host, socket_address(host), 1)).geturl()
    # Probes do not verify certificates, as in Kubernetes.
    async with session.get(here, headers={"Host": parts.netloc, **headers}, allow_redirects=False, ssl=False) as answer:
        body = (await answer.content.read(BODY_LIMIT)).decode(errors="replace")
        return answer.status, body, answer.headers.get("Location", "")


async def _grpc(action: Mapping[str, Any], pod_ip: str, timeout: float) -> Outcome:
    """Source of the texts: pkg/probe/grpc/grpc.go."""
    port = int(action["port"])
    try:
        status = await serving_status(pod_ip, port, action.get("service") or "", timeout)
    except NotConnected:
        where = f'"{pod_ip}:{port}" within {timeout:g}s'
        return Outcome(False, f"timeout: failed to connect service {where}: context deadline exceeded")
    except TimeoutError:
        return Outcome(False, f"timeout: health rpc did not complete within {timeout:g}s")
    except CallFailed as error:
        if error.code == "Unimplemented":
            protocol = "this server does not implement the grpc health protocol (grpc.health.v1.Health)"
            return Outcome(False, f"error: {protocol}: {error.text}")
        return Outcome(False, f"error: health rpc probe failed: {error}")
    if status != "SERVING":
        return Outcome(False, f'service unhealthy (responded with "{status}")')
    return Outcome(True, "service healthy")


def _reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError) or "refused" in str(error).lower():
        return "connection refused"
    return (error.strerror or str(error)).lower()
