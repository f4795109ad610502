"""Serving against the transformers pipeline: tokens per second with 1, 8 and 32 clients.

    python bench/serving.py [--model tiny:phi3] [--adapter NAME=DIR] [--rounds 4] [--output FILE]

A is the text-generation pipeline in this process, on the base or on peft's model with the adapter, called by the
clients one after the other, as it allows no more (no HTTP in between). B is `kaito-runtime serve` in a process of its
own, asked over HTTP by that many clients at once, without `model`: base and adapter.
Both decode greedily, the same prompts, exactly `--tokens` new tokens each, with the same number of torch threads.
Rounds alternate A B A B; the result is the median of the paired ratios. Targets: at least 1, 3 and 4. Prints JSON
with the machine it ran on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

TARGETS = {1: 1.0, 8: 3.0, 32: 4.0}
QUESTIONS = [f"What is {a} plus {b}?" for a in range(10) for b in range(10)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny:phi3")
    parser.add_argument("--adapter", action="append", default=[], metavar="NAME=DIR")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--clients", type=int, nargs="+", default=sorted(TARGETS))
    parser.add_argument("--requests", type=int, default=64, help="requests in a round of B (a quarter of them in A)")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()

    from kaito_runtime.models import load, resolve

    folder = resolve(arguments.model)
    model, tokenizer = load(folder)
    if len(arguments.adapter) > 1:
        parser.error("the comparison is defined for one --adapter at most")
    if arguments.adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, arguments.adapter[0].partition("=")[2]).eval()
    pipeline = Pipeline(model, tokenizer, arguments.tokens)
    with server(folder, arguments.adapter) as port:
        results = {}
        for clients in arguments.clients:
            results[clients] = compare(pipeline, port, clients, arguments)
            print(f"{clients} clients: {results[clients]['summary']}", file=sys.stderr, flush=True)
    report = {
        "benchmark": "serving",
        "model": arguments.model,
        "adapters": len(arguments.adapter),
        "new_tokens": arguments.tokens,
        "results": results,
        "environment": environment(),
    }
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.output is not None:
        arguments.output.write_text(text + "\n", encoding="utf-8")


def compare(pipeline: Pipeline, port: int, clients: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Paired rounds at one number of clients; a first, unmeasured one warms both sides up."""
    requests = max(arguments.requests, 2 * clients)
    pairs = []
    for number in range(arguments.rounds + 1):
        ours_first = number % 2 == 1
        rates = {}
        for side in ("B", "A") if ours_first else ("A", "B"):
            if side == "A":
                rates["A"] = pipeline.rate(max(4, requests // 4))
            else:
                rates["B"] = asyncio.run(rate(port, clients, requests, arguments.tokens))
        if number:
            pairs.append(rates)
    ratios = [pair["B"] / pair["A"] for pair in pairs]
    ratio = statistics.median(ratios)
    target = TARGETS.get(clients)
    return {
        "pipeline_tokens_per_second": [round(pair["A"], 1) for pair in pairs],
        "server_tokens_per_second": [round(pair["B"], 1) for pair in pairs],
        "ratios": [round(each, 3) for each in ratios],
        "ratio": round(ratio, 3),
        "target": target,
        "summary": f"{ratio:.2f}x the pipeline" + ("" if target is None else f" (target {target:g}x)"),
    }


class Pipeline:
    """A: transformers' own."""

    def __init__(self, model: Any, tokenizer: Any, tokens: int) -> None:
        import transformers

        transformers.logging.set_verbosity_error()
        self._pipeline = transformers.pipeline("text-generation", model=model, tokenizer=tokenizer)
        self._settings = {
            "max_new_tokens": tokens,
            "min_new_tokens": tokens,
            "do_sample": False,
            "return_full_text": False,
        }
        self._tokens = tokens

    def rate(self, requests: int) -> float:
        """New tokens per second over so many requests."""
        begun = time.perf_counter()
        for number in range(requests):
            question = QUESTIONS[number % len(QUESTIONS)]
            self._pipeline([{"role": "user", "content": question}], **self._settings)
        return requests * self._tokens / (time.perf_counter() - begun)


async def rate(port: int, clients: int, requests: int, tokens: int) -> float:
    """B: new tokens per second when `clients` keep-alive connections send `requests` between them."""
    queue = list(range(requests))
    produced = 0

    async def client() -> None:
        nonlocal produced
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while queue:
            question = QUESTIONS[queue.pop() % len(QUESTIONS)]
            body = {
                "messages": [{"role": "user", "content": question}],
                "max_tokens": tokens,
                "ignore_eos": True,
                "temperature": 0,
            }
            answer = await post(reader, writer, "/v1/chat/completions", body)
            produced += answer["usage"]["completion_tokens"]
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    seconds = time.perf_counter() - begun
    assert produced == requests * tokens, "every request must give the same number of tokens"
    return produced / seconds


async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: Any) -> Any:
    """One request on a kept connection; a plain client, because both share two cores."""
    content = json.dumps(body).encode()
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    assert length is not None, head
    answer = await reader.readexactly(int(length[1]))
    assert head.startswith(b"HTTP/1.1 200"), (head, answer)
    return json.loads(answer)


@contextmanager
def server(folder: Path, adapters: list[str]) -> Iterator[int]:
    """A `kaito-runtime serve` process that is ready; yields its port."""
    command = [sys.executable, "-c", "from kaito_runtime.cli import main; main()", "serve"]
    command += ["--model", str(folder), "--port", "0"]
    command += ["--adapters-dir", "/nonexistent", "--max-queue", "1000"]
    for adapter in adapters:
        command += ["--adapter", adapter]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        port = 0
        for line in process.stderr:
            if found := re.search(r"Listening on http://127\.0\.0\.1:(\d+)", line):
                port = int(found[1])
            if "Model loaded successfully" in line:
                break
        else:
            raise SystemExit(f"the server did not start (exit code {process.wait()})")
        yield port
    finally:
        process.terminate()
        process.wait(30)


def environment() -> dict[str, Any]:
    """Where the numbers come from."""
    import torch

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and (named := re.search(r"model name\s*: (.+)", info.read_text(encoding="utf-8"))):
        cpu = named[1]
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "load_average": [round(each, 2) for each in os.getloadavg()],
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "torch_threads": torch.get_num_threads(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


if __name__ == "__main__":
    main()
