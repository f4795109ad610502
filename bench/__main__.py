"""Run benchmarks one after the other, each in a process of its own, its JSON going to `bench/results/NAME.json`.

    python -m bench [NAME…] [--quick] [--list]

Without names all of them run, which takes a while and both cores of a laptop; `--quick` makes each short, for a look
rather than for a claim. What each measures, and how: `python -m bench.NAME --help`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
QUICK: Mapping[str, Sequence[str]] = {
    "apiserver": ("--quick",),
    "workspaces": ("--quick",),
    "overhead": ("--rounds", "1"),
    "tuning": ("--rounds", "1", "--steps", "20"),
    "serving": ("--rounds", "1", "--requests", "16", "--tokens", "16"),
    "serving_load": ("--seconds", "10"),
}
"""Every benchmark, with the arguments that make it short."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(QUICK))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true", help="only say which there are")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(QUICK))
        return 0
    unknown = [name for name in arguments.names if name not in QUICK]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}: choose from {', '.join(QUICK)}")
    RESULTS.mkdir(exist_ok=True)
    failed = [name for name in arguments.names or QUICK if not run(name, QUICK[name] if arguments.quick else ())]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run(name: str, extra: Sequence[str]) -> bool:
    """Run one; True when it ended well and left its result."""
    output = RESULTS / f"{name}.json"
    print(f"== {name} -> {output}", file=sys.stderr, flush=True)
    command = (sys.executable, "-m", f"bench.{name}", *extra, "--output", str(output))
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        return False
    report = json.loads(output.read_text(encoding="utf-8"))
    return "benchmark" in report and "environment" in report


if __name__ == "__main__":
    sys.exit(main())
