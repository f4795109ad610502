"""The tune-then-serve scenario beside the two bare processes inside it.

    python -m bench.overhead [--rounds 3] [--output FILE]

A is what the scenario's containers do, by hand: `kaito-runtime tune` on the scenario's data with the very configuration
the operator gives it, then `kaito-runtime serve` with the adapter and the scenario's twenty questions. B is `kaito run
scenarios/tune-then-serve.yaml`: cluster, node, download, push, pull and deletion come on top. Rounds alternate A B A B
after an unmeasured A, which builds the stand-in model where that is missing. Reported is the median of B/A, in
wall time and in processor time of all processes; the latter is the one to believe on a busy machine. Targets: B below
30 s, B/A at most 1.15.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import orjson
import yaml

from bench.measuring import median, progress, write_report
from kaito.operator.params import params_config_map

REPOSITORY = Path(__file__).parent.parent
SCENARIOS = REPOSITORY / "scenarios"
MODEL, SERVED, ADAPTER = "tiny:phi3", "phi-3-mini-128k-instruct", "facts"
RUNTIME = (sys.executable, "-c", "from kaito_runtime.cli import main; main()")
KAITO = (sys.executable, "-c", "from kaito.cli.main import main; main()")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    bare()
    rounds = []
    for number in range(arguments.rounds):
        order = (bare, scenario) if number % 2 == 0 else (scenario, bare)
        result: dict[str, Any] = {work.__name__: with_cpu(work) for work in order}
        for name, key in (("ratio", "wall_s"), ("cpu_ratio", "cpu_s")):
            result[name] = result["scenario"][key] / result["bare"][key]
        rounds.append(result)
        progress(f"round {number + 1}: {result}")
    content = {
        "bare_s": round(median([one["bare"]["wall_s"] for one in rounds]), 2),
        "scenario_s": round(median([one["scenario"]["wall_s"] for one in rounds]), 2),
        "ratio": round(median([one["ratio"] for one in rounds]), 3),
        "cpu_ratio": round(median([one["cpu_ratio"] for one in rounds]), 3),
        "rounds": rounds,
        "targets": {"scenario_s": 30, "ratio": 1.15},
    }
    write_report("overhead", content, arguments.output)


def with_cpu(work: Callable[[], dict[str, float]]) -> dict[str, float]:
    """The result of a measurement and the processor seconds of all the processes it had."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**result, "cpu_s": used}


def bare() -> dict[str, float]:
    """Tune, serve and ask without a cluster; seconds of each part."""
    with tempfile.TemporaryDirectory(prefix="kaito-bench-") as scratch:
        folder = Path(scratch)
        config = folder / "config.yaml"
        config.write_text(params_config_map("qlora", "tiny", "unused")["data"]["training_config.yaml"])
        begun = time.perf_counter()
        output = folder / "adapters" / ADAPTER
        data = ("--data", str(SCENARIOS / "data" / "facts.parquet"), "--output", str(output))
        subprocess.run(
            (*RUNTIME, "tune", "--model", MODEL, "--method", "qlora", "--config", str(config), *data),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        tuned = time.perf_counter()
        serve_and_ask(output.parent)
        ended = time.perf_counter()
    return {"wall_s": ended - begun, "tune_s": tuned - begun, "serve_and_ask_s": ended - tuned}


def serve_and_ask(adapters: Path) -> None:
    command = (*RUNTIME, "serve", "--model", MODEL, "--served-model-name", SERVED, "--port", "0")
    process = subprocess.Popen((*command, "--adapters-dir", str(adapters)), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        port = 0
        for line in process.stderr:
            if found := re.search(r"Listening on http://127\.0\.0\.1:(\d+)", line):
                port = int(found[1])
            if "Model loaded successfully" in line:
                break
        facts = yaml.safe_load((SCENARIOS / "data" / "facts.yaml").read_text())
        for fact in facts:
            messages = [{"role": "user", "content": fact["prompt"]}]
            ask(port, "/v1/chat/completions", {"model": SERVED, "messages": messages, "temperature": 0})
        answers = [ask(port, "/chat", {"prompt": fact["prompt"]}) for fact in facts]
        known = sum(fact["answer"] in str(answer) for fact, answer in zip(facts, answers, strict=True))
        assert known == len(facts), f"the tuned model knows {known} of {len(facts)} facts"
    finally:
        process.terminate()
        process.communicate()


def ask(port: int, path: str, body: dict[str, Any]) -> Any:
    request = Request(f"http://127.0.0.1:{port}{path}", orjson.dumps(body), {"Content-Type": "application/json"})
    with urlopen(request, timeout=120) as answer:
        return orjson.loads(answer.read())


def scenario() -> dict[str, float]:
    """The whole scenario on the embedded tier, as a user runs it."""
    with tempfile.TemporaryDirectory(prefix="kaito-bench-") as out:
        begun = time.perf_counter()
        subprocess.run(
            (*KAITO, "run", str(SCENARIOS / "tune-then-serve.yaml"), "--plain", "--out", out),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return {"wall_s": time.perf_counter() - begun}


if __name__ == "__main__":
    main()
