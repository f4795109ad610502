"""A load test of `kaito-runtime serve`: many clients, some of which break off, and servers ended under them.

    python bench/serving_load.py [--model tiny:phi3] [--adapter NAME=DIR]… [--clients 32] [--seconds 120]

Every request is greedy or seeded, so its right answer is known beforehand (asked alone, before the load). Clients use
all surfaces, streamed or not, on the base, on each adapter and on all of them; a third of the requests is broken off:
closed while waiting, closed or reset in the middle of a stream, half sent. In the first half of the time the server
is ended twice and started again: by SIGTERM, after which every accepted request must still have got its right answer,
and by SIGKILL. In the second half memory, open files, running and waiting requests are watched. Exit code 1 when an
answer was wrong, a request was lost in a drain, or something leaked.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import signal
import socket
import struct
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
MOST_GROWTH = 48 * 2**20
"""Bytes of resident memory that allocators may gain in the second half."""
SHORT = {"max_new_tokens": 24}
QUESTIONS = [
    "What is the capital of France?",
    "What is 3 plus 4?",
    "Hello",
    "Who are you?",
    "Tell me a long story. " * 8,
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny:phi3")
    parser.add_argument("--adapter", action="append", default=[], metavar="NAME=DIR")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--steady", action="store_true", help="leave the server alone: no SIGTERM, no SIGKILL")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    report = asyncio.run(run(arguments))
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.output is not None:
        arguments.output.write_text(text + "\n", encoding="utf-8")
    sys.exit(1 if report["failures"] else 0)


@dataclass(frozen=True)
class Case:
    """A request whose answer is known once `expected` was asked for."""

    path: str
    body: str

    @property
    def streamed(self) -> bool:
        return bool(json.loads(self.body).get("stream"))


@dataclass
class Tally:
    """What the clients saw."""

    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lost_in_drain: int = 0
    seconds: list[float] = field(default_factory=list)


def make_cases(models: list[str | None]) -> list[Case]:
    """Every surface, model and way of decoding."""
    cases = []
    for number, question in enumerate(QUESTIONS):
        for model in models:
            chosen = {} if model is None else {"model": model}
            sampled = {"temperature": 1.0, "seed": number, "top_p": 0.95}
            messages = [{"role": "user", "content": question}]
            for body in (
                {"messages": messages, "max_tokens": 24},
                {"messages": messages, "max_tokens": 40, "stream": True, "ignore_eos": True},
                {"messages": messages, "max_tokens": 24, **sampled},
                {"messages": messages, "max_tokens": 30, "stop": ["a"], "stream": True},
            ):
                cases.append(Case("/v1/chat/completions", json.dumps({**body, **chosen})))
            cases.append(Case("/chat", json.dumps({"prompt": question, "generate_kwargs": SHORT, **chosen})))
            cases.append(
                Case("/v1/completions", json.dumps({"prompt": question, "max_tokens": 20, "n": 2, "seed": 5, **chosen}))
            )
            body = {"input": question, "stream": True, "max_output_tokens": 24, **chosen}
            cases.append(Case("/v1/responses", json.dumps(body)))
    return cases


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    from kaito_runtime.models import resolve

    server = Server(resolve(arguments.model), arguments.adapter)
    await server.start()
    cases = make_cases([None, "base", *(flag.partition("=")[0] for flag in arguments.adapter)])
    expected = {case: await ask(server, case) for case in cases}
    tally = Tally()
    half = arguments.seconds / 2
    begun = time.monotonic()
    stop = asyncio.Event()
    clients = [
        asyncio.create_task(client(server, cases, expected, tally, random.Random(arguments.seed * 1000 + number), stop))
        for number in range(arguments.clients)
    ]
    for share, kind in () if arguments.steady else ((0.4, signal.SIGTERM), (0.8, signal.SIGKILL)):
        await asyncio.sleep(max(0.0, begun + share * half - time.monotonic()))
        await server.restart(kind)
    await asyncio.sleep(max(0.0, begun + half - time.monotonic()))
    before = await server.footprint()
    await asyncio.sleep(max(0.0, begun + arguments.seconds - time.monotonic()))
    stop.set()
    await asyncio.gather(*clients)
    seconds = time.monotonic() - begun
    await server.settle()
    after = await server.footprint()
    code = await server.end(signal.SIGTERM)

    failures = list(tally.wrong[:5])
    if tally.lost_in_drain:
        failures.append(f"{tally.lost_in_drain} accepted requests were lost when the server was drained")
    if after["running"] or after["waiting"]:
        failures.append(f"{after['running']:g} running and {after['waiting']:g} waiting requests were left over")
    if after["files"] > before["files"]:
        failures.append(f"open files grew from {before['files']} to {after['files']} with all clients gone")
    if after["memory"] - before["memory"] > MOST_GROWTH:
        failures.append(f"memory grew by {(after['memory'] - before['memory']) / 2**20:.0f} MiB in the second half")
    if code != 0:
        failures.append(f"the server ended with exit code {code}")
    times = sorted(tally.seconds)
    return {
        "load_test": "serving",
        "clients": arguments.clients,
        "seconds": round(seconds, 1),
        "requests": dict(tally.done),
        "answers_checked": len(times),
        "wrong_answers": len(tally.wrong),
        "lost_in_drain": tally.lost_in_drain,
        "answer_seconds": {
            "median": round(times[len(times) // 2], 3),
            "p99": round(times[int(len(times) * 0.99)], 3),
        },
        "memory_mib": {"half_time": before["memory"] // 2**20, "end": after["memory"] // 2**20},
        "open_files": {"half_time_under_load": before["files"], "end": after["files"]},
        "failures": failures,
    }


async def client(
    server: Server,
    cases: list[Case],
    expected: dict[Case, Any],
    tally: Tally,
    rng: random.Random,
    stop: asyncio.Event,
) -> None:
    """Asks, checks and breaks off until `stop`."""
    while not stop.is_set():
        case = rng.choice(cases)
        if rng.random() < 1 / 3:
            with contextlib.suppress(OSError):
                await break_off(server, case, rng)
                tally.done["broken off"] += 1
            continue
        generation, down = server.generation, server.down
        begun = time.monotonic()
        try:
            answer = await ask(server, case)
        except (OSError, EOFError, Refused) as error:
            if down or generation in server.killed:
                tally.done["met no server"] += 1
            elif generation in server.drained:
                tally.lost_in_drain += 1
                print(f"lost while draining: {case.path} {error!r}", file=sys.stderr)
            else:
                tally.wrong.append(f"{case}: {error!r}")
            await asyncio.sleep(0.05)
            continue
        tally.seconds.append(time.monotonic() - begun)
        tally.done["answered"] += 1
        if answer != expected[case]:
            tally.wrong.append(f"{case}: {answer!r} instead of {expected[case]!r}")


class Refused(Exception):
    """503: the server is starting or stopping, and says so."""


async def send(server: Server, case: Case, *, share: float = 1.0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(HOST, server.port)
    content = case.body.encode()
    head = f"POST {case.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content[: int(len(content) * share)])
    return reader, writer


async def ask(server: Server, case: Case) -> Any:
    """The answer's text or texts."""
    reader, writer = await send(server, case)
    try:
        raw = await reader.read()
    finally:
        writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 503"):
        raise Refused
    if not head.startswith(b"HTTP/1.1 200"):
        if not raw:
            raise EOFError("the connection was closed without an answer")
        raise AssertionError(raw[:500])
    return text_of(case, body, chunked=b"chunked" in head)


def text_of(case: Case, body: bytes, *, chunked: bool) -> Any:
    if chunked:
        body = unchunk(body)
    if not case.streamed:
        answer = json.loads(body)
        if case.path == "/chat":
            return answer["Result"]
        return [choice["text"] if "text" in choice else choice["message"]["content"] for choice in answer["choices"]]
    blocks = [block.removeprefix(b"data: ") for block in body.split(b"\n\n") if block]
    if blocks[-1] != b"[DONE]":
        raise EOFError("the stream has no end")
    events = [json.loads(block) for block in blocks[:-1]]
    if case.path == "/v1/responses":
        return "".join(event.get("delta", "") for event in events)
    return "".join(choice["delta"].get("content", "") for event in events for choice in event["choices"])


def unchunk(body: bytes) -> bytes:
    parts = []
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size or b"0", 16)
        if not length:
            if not size:
                raise EOFError("the body has no end")
            return b"".join(parts)
        if len(body) < length:
            raise EOFError("the body is cut off")
        parts.append(body[:length])
        body = body[length + 2 :]


async def break_off(server: Server, case: Case, rng: random.Random) -> None:
    """Goes away in one of the ways that clients go away."""
    way = rng.choice(["half sent", "at once", "in the middle", "reset"])
    reader, writer = await send(server, case, share=0.5 if way == "half sent" else 1.0)
    try:
        if way in ("in the middle", "reset"):
            await asyncio.wait_for(reader.read(rng.randint(1, 600)), 5)
        else:
            await asyncio.sleep(rng.random() * 0.05)
        if way == "reset":
            peer = writer.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except TimeoutError:
        pass
    finally:
        writer.close()


class Server:
    """The server process under test; `generation` counts its starts."""

    def __init__(self, folder: Path, adapters: list[str]) -> None:
        self._command = [sys.executable, "-c", "from kaito_runtime.cli import main; main()", "serve"]
        self._command += ["--model", str(folder), "--served-model-name", "base", "--adapters-dir", "/nonexistent"]
        for adapter in adapters:
            self._command += ["--adapter", adapter]
        self._process: asyncio.subprocess.Process | None = None
        self._log: asyncio.Task[None] | None = None
        self.port = 0
        self.generation = 0
        self.down = False
        self.drained: set[int] = set()
        self.killed: set[int] = set()

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, "--port", str(self.port), stderr=asyncio.subprocess.PIPE
        )
        stderr = self._process.stderr
        assert stderr is not None
        while line := (await stderr.readline()).decode():
            if found := re.search(r"Listening on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
            if "Model loaded successfully" in line:
                break
        else:
            raise SystemExit("the server did not start")
        self._log = asyncio.create_task(self._read_log(stderr))

    async def _read_log(self, stderr: asyncio.StreamReader) -> None:
        while line := await stderr.readline():
            if b"ERROR" in line or b"Traceback" in line:
                print(line.decode().rstrip(), file=sys.stderr)

    async def restart(self, kind: signal.Signals) -> None:
        (self.drained if kind == signal.SIGTERM else self.killed).add(self.generation)
        # Requests that start from here on may meet the old server's closed port, or the new one while it loads.
        self.down = True
        await self.end(kind)
        await self.start()
        self.generation += 1
        self.down = False

    async def end(self, kind: signal.Signals) -> int:
        assert self._process is not None
        assert self._log is not None
        self._process.send_signal(kind)
        code = await self._process.wait()
        await self._log
        return code

    async def footprint(self) -> dict[str, Any]:
        """Resident memory, open files, running and waiting requests."""
        import psutil

        assert self._process is not None
        process = psutil.Process(self._process.pid)
        reader, writer = await asyncio.open_connection(HOST, self.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\nConnection: close\r\n\r\n")
        text = (await reader.read()).decode()
        writer.close()

        def gauge(name: str) -> float:
            found = re.search(rf"^kaito_runtime_{name} (\S+)$", text, re.MULTILINE)
            assert found is not None, text
            return float(found[1])

        return {
            "memory": process.memory_info().rss,
            "files": process.num_fds(),
            "running": gauge("requests_running"),
            "waiting": gauge("requests_waiting"),
        }

    async def settle(self) -> None:
        """Waits until nothing runs any more, for up to ten seconds."""
        for _ in range(100):
            state = await self.footprint()
            if not (state["running"] or state["waiting"]):
                return
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    main()
