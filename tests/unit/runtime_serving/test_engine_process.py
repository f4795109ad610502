"""A whole `kaito-runtime serve` process: start-up, log lines, adapters, draining, failing to start."""

import asyncio
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from .tiny import make_adapter, tiny_model, tiny_tokenizer

# On a busy machine a process needs half a minute to import torch.
pytestmark = [pytest.mark.torch, pytest.mark.timeout(300)]

PROGRAM = [sys.executable, "-c", "from kaito_runtime.cli import main; main()", "serve", "--port", "0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder and two adapters."""
    root = tmp_path_factory.mktemp("served")
    model = tiny_model()
    model.save_pretrained(root / "model")
    tiny_tokenizer().save_pretrained(root / "model")
    for seed, name in enumerate(("first", "second-one")):
        make_adapter(root / "adapters" / name, model, seed=seed)
    return root


class Running:
    """A server process and what it has logged."""

    def __init__(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        import os

        self.process = subprocess.Popen(
            [*PROGRAM, *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self.log: list[str] = []

    def wait_for(self, pattern: str) -> re.Match[str]:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip())
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"{pattern!r} was not logged: {self.log}")

    def finish(self) -> int:
        """The exit code, after the rest of the log was read."""
        assert self.process.stderr is not None
        self.log += self.process.stderr.read().splitlines()
        self.process.stderr.close()
        return self.process.wait(30)


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    begun = Running(
        "--model", str(folder / "model"), "--served-model-name", "tiny", "--adapters-dir", str(folder / "adapters"),
        environment={"KAITO_ADAPTER_STRENGTHS": '{"second-one": 0.5}'},
    )  # fmt: skip
    yield begun
    if begun.process.poll() is None:
        begun.process.kill()
        begun.finish()


@pytest.fixture(scope="module")
def url(running: Running) -> str:
    return "http://127.0.0.1:" + running.wait_for(r"Listening on http://127\.0\.0\.1:(\d+)")[1]


def test_health_is_503_while_the_model_is_loaded_then_200(running: Running, url: str) -> None:
    assert httpx.get(f"{url}/health").status_code == 503
    running.wait_for("Model loaded successfully")
    assert httpx.get(f"{url}/health").json() == {"status": "Healthy"}
    log = "\n".join(running.log)
    assert "Adapter added: first\n" in log
    assert "Adapter added: second-one\n" in log
    kaitos = re.compile(r"INFO \d\d-\d\d \d\d:\d\d:\d\d \S+:\d+\] .+")
    assert all(kaitos.fullmatch(line) for line in running.log)


def test_base_adapters_and_their_sum_give_different_answers(url: str) -> None:
    def answer(**model: str) -> Any:
        body = {"prompt": "abc", "generate_kwargs": {"max_new_tokens": 8, "skip_special_tokens": False}, **model}
        return httpx.post(f"{url}/chat", json=body).json()["Result"]

    answers = [answer(model=name) for name in ("tiny", "first", "second-one")] + [answer()]
    assert len(set(answers)) == 4
    assert [answer(model="first"), answer()] == [answers[1], answers[3]]
    entries = httpx.get(f"{url}/v1/models").json()["data"]
    assert [(entry["id"], entry.get("strength")) for entry in entries] == [
        ("tiny", None),
        ("first", 1.0),
        ("second-one", 0.5),
    ]


async def test_openais_client_streams_what_it_gets_whole(url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
        messages: Any = [{"role": "user", "content": "Hi"}]
        whole = await client.chat.completions.create(
            model="first", messages=messages, max_tokens=12, seed=3, temperature=1
        )
        stream = await client.chat.completions.create(
            model="first", messages=messages, max_tokens=12, seed=3, temperature=1, stream=True
        )
        chunks = [chunk async for chunk in stream]
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content


async def test_sigterm_lets_accepted_requests_finish_and_loses_none(running: Running, url: str) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        body = {"prompt": "abc", "max_tokens": 200, "ignore_eos": True}
        tasks = [asyncio.create_task(client.post(f"{url}/v1/completions", json=body)) for _ in range(12)]
        for _ in range(200):
            metrics = (await client.get(f"{url}/metrics", headers={"accept": "text/plain"})).text
            if "kaito_runtime_http_in_progress 13.0" in metrics:
                break
        running.process.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*tasks)
    assert [answer.status_code for answer in answers] == [200] * 12
    assert [answer.json()["usage"]["completion_tokens"] for answer in answers] == [200] * 12
    assert await asyncio.to_thread(running.finish) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--model", "/nowhere/model"], 66, "/nowhere/model"),
        (["--model", "{folder}/model", "--adapter", "x={folder}/broken"], 65, "Adapter x"),
        (["--model", "{folder}/model", "--device", "cuda:99"], 2, "--device cuda:99: torch can use"),
    ],
)
def test_what_cannot_be_loaded_ends_the_process_with_one_sentence(
    folder: Path, arguments: list[str], code: int, says: str
) -> None:
    (folder / "broken").mkdir(exist_ok=True)
    (folder / "broken" / "adapter_config.json").write_text("{}")
    failing = Running(*(argument.format(folder=folder) for argument in arguments), "--adapters-dir", "/nowhere")
    assert failing.finish() == code, failing.log
    assert failing.log[-1].startswith("error: ")
    assert says.format(folder=folder) in failing.log[-1]
    assert not any("Traceback" in line for line in failing.log)


def test_sigterm_while_loading_ends_the_process_at_once(folder: Path) -> None:
    starting = Running("--model", str(folder / "model"), "--adapters-dir", "/nowhere")
    starting.wait_for("Loading")
    begun = time.monotonic()
    starting.process.send_signal(signal.SIGTERM)
    assert starting.finish() == 0
    assert time.monotonic() - begun < 20


def test_an_address_in_use_is_one_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        failing = Running("--model", str(folder / "model"), "--port", port)
        assert failing.finish() == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in failing.log[-1]


def test_what_outlasts_the_drain_is_told_so_and_leaves_no_traceback(folder: Path) -> None:
    short = ["--model", str(folder / "model"), "--adapters-dir", "/nowhere", "--drain-timeout", "0"]
    stopped = Running(*short)
    port = int(stopped.wait_for(r"Listening on http://127\.0\.0\.1:(\d+)")[1])
    stopped.wait_for("Model loaded")
    with (
        socket.create_connection(("127.0.0.1", port)) as slow,
        httpx.stream(
            "POST",
            f"http://127.0.0.1:{port}/v1/completions",
            json={"prompt": "a", "max_tokens": 250, "ignore_eos": True, "stream": True},
        ) as stream,
    ):
        slow.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
        lines = stream.iter_lines()
        next(lines)
        stopped.process.send_signal(signal.SIGTERM)
        last = [line for line in lines if line][-1]
        answer = slow.makefile("rb").read()
    assert "The server stopped before this request was finished" in last
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b'"code":"stopping"' in answer
    assert stopped.finish() == 0
    assert not any("Traceback" in line for line in stopped.log)


def test_a_body_that_does_not_arrive_is_408(folder: Path) -> None:
    arguments = ["--model", str(folder / "model"), "--adapters-dir", "/nowhere", "--timeout", "0.2"]
    serving = Running(*arguments)
    port = int(serving.wait_for(r"Listening on http://127\.0\.0\.1:(\d+)")[1])
    serving.wait_for("Model loaded")
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(b"POST /chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99\r\n\r\n{")
        answer = slow.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 0.2 seconds" in answer
    serving.process.send_signal(signal.SIGTERM)
    assert serving.finish() == 0
