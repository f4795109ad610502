"""`kaito run`: a scenario on a cluster of its own."""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from kaito.cli.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE
from kaito.cli.presenting import LivePresenter, PlainPresenter
from kaito.cluster.base import TIERS, ClusterError, ClusterOptions
from kaito.cluster.daemon import clear_abandoned
from kaito.cluster.folders import ClusterFolder
from kaito.cluster.locking import hold
from kaito.cluster.tiers import create_cluster
from kaito.kube.errors import ApiError
from kaito.scenario.evidence import RunRecord
from kaito.scenario.loading import LoadedScenario, ScenarioFileError, load_scenario
from kaito.scenario.reporting import write_reports
from kaito.scenario.runner import new_record, run_scenario

FOLDER_PREFIX = "kaito-run-"
"""Of the temporary folder that a run's cluster lives in."""


def run_command(path: Path, *, tier: str, out: Path, plain: bool) -> int:
    """The command's exit code; everything a user needs has been printed."""
    console = Console(stderr=False, highlight=False)
    if tier not in TIERS:
        print(f"--cluster {tier}: there is no such tier; choose one of: {', '.join(TIERS)}", file=sys.stderr)
        return EXIT_USAGE
    try:
        loaded = load_scenario(path)
    except ScenarioFileError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    try:
        out.mkdir(parents=True, exist_ok=True)
        _log_to(out / "cluster.log")
    except OSError as error:
        said = "it is not a folder" if isinstance(error, FileExistsError) else error.strerror
        print(f"--out {out}: {error.filename} cannot be written: {said}", file=sys.stderr)
        return EXIT_USAGE
    record = new_record(loaded, tier)
    live = console.is_terminal and not plain
    presenter = LivePresenter(console) if live else PlainPresenter(lambda line: print(line, flush=True))
    clear_abandoned(Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"))
    with presenter:
        interrupted = asyncio.run(_run(loaded, tier, record, presenter))
    try:
        write_reports(record, out)
    except OSError as error:
        print(f"the reports cannot be written to {out}: {error.strerror}", file=sys.stderr)
        return EXIT_FAILED
    if interrupted:
        print("interrupted; everything that was started has been stopped", file=sys.stderr)
        return EXIT_INTERRUPTED
    for line in summary(record, out):
        print(line, flush=True)
    return 0 if record.outcome == "passed" else EXIT_FAILED


async def _run(loaded: LoadedScenario, tier: str, record: RunRecord, presenter: LivePresenter | PlainPresenter) -> bool:
    """Run the scenario; True when the user interrupted it. The cluster and its folder are gone when this returns."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    stopping = asyncio.create_task(stop.wait())
    root = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    try:
        with hold(ClusterFolder(root)):
            cluster = create_cluster(tier, ClusterFolder(root), ClusterOptions(mirrors=loaded.mirrors))

            async def work() -> None:
                await cluster.start(lambda text: presenter.note("cluster", text))
                presenter.note("cluster", f"{tier} is up")
                await run_scenario(loaded, cluster, record, presenter)

            try:
                working = asyncio.create_task(work())
                await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
                if not working.done():
                    record.reason = "interrupted"
                    working.cancel()
                    with suppress(asyncio.CancelledError):
                        await working
                    return True
                working.result()
            finally:
                await cluster.stop()
    except (ClusterError, OSError, ApiError) as error:
        logging.getLogger(__name__).error("the cluster did not start", exc_info=error)
        record.reason = str(error)
    finally:
        stopping.cancel()
        shutil.rmtree(root, ignore_errors=True)
    return False


def summary(record: RunRecord, out: Path) -> list[str]:
    """The run's last lines: what it showed, or why it failed."""
    lines = []
    evidence = record.evidence
    if record.outcome == "passed":
        if evidence.tuning.loss:
            first, last = evidence.tuning.loss[0][1], evidence.tuning.loss[-1][1]
            layers = evidence.tuning.quantized_layers
            lines.append(f"tuned:   loss {first:.3f} to {last:.3f}, {layers} layers in 4 bits")
        if evidence.adapter.pushed_digest:
            lines.append(f"adapter: {evidence.adapter.reference} {evidence.adapter.pushed_digest}")
        tuned = next((answer for answer in evidence.answers if answer.answer.strip() == answer.expected.strip()), None)
        if tuned:
            base = next(
                (answer for answer in evidence.answers if answer.prompt == tuned.prompt and answer is not tuned), None
            )
            lines.append(f"asked:   {tuned.prompt}")
            if base:
                lines.append(f"  base:  {base.answer}")
            lines.append(f"  tuned: {tuned.answer}")
    passed = sum(step.outcome == "passed" for step in record.steps)
    lines.append(
        f"{record.outcome}: {passed} of {len(record.steps)} steps in {record.seconds:.1f} s; see {out}/report.html"
    )
    if record.outcome != "passed":
        lines += [f"warning: {warning}" for warning in evidence.warnings[-5:]]
        lines.append(f"reason:  {record.reason}")
    return lines


def _log_to(path: Path) -> None:
    """What the cluster logs goes into a file beside the report."""
    handler = logging.FileHandler(path, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.raiseExceptions = False  # A log that cannot be written, on a full disk, is no reason to write more.
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
