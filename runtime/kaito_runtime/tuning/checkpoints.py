"""Checkpoints: all that is needed to go on with the same numbers as if nothing had happened."""

import json
import os
import random
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from kaito_runtime.errors import BadData, shorten
from kaito_runtime.tuning.progress import History

_STATE: Final = "trainer_state.json"
_PREFIX: Final = "checkpoint-"


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk. fingerprint: of the run that wrote it."""

    folder: Path
    step: int
    fingerprint: str


def save(
    folder: Path, *, step: int, fingerprint: str, model: Any, optimizer: Any, history: History, keep: int | None
) -> None:
    """Write `checkpoint-<step>` in `folder`; it appears whole or not at all. Older ones beyond `keep` go afterwards."""
    import torch

    place = folder / f"{_PREFIX}{step}"
    part = folder / f".{place.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    model.save_pretrained(part)
    torch.save(optimizer.state_dict(), part / "optimizer.pt")
    noise = {"torch": torch.get_rng_state(), "python": random.getstate()}
    if torch.cuda.is_available():
        noise["cuda"] = torch.cuda.get_rng_state_all()
    torch.save(noise, part / "rng_state.pth")
    state = {"global_step": step, "fingerprint": fingerprint, **asdict(history)}
    (part / _STATE).write_text(json.dumps(state) + "\n", encoding="utf-8")
    for path in part.iterdir():
        _flush(path)
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)
    _flush(folder)
    if keep is not None:
        for old in sorted(_all(folder), key=lambda checkpoint: checkpoint.step)[: -max(1, keep)]:
            shutil.rmtree(old.folder, ignore_errors=True)


def newest(folder: Path, fingerprint: str) -> Checkpoint | None:
    """Return the last checkpoint that this same run (same data, model, settings) wrote in `folder`."""
    fitting = [checkpoint for checkpoint in _all(folder) if checkpoint.fingerprint == fingerprint]
    return max(fitting, key=lambda checkpoint: checkpoint.step, default=None)


def read(folder: Path) -> Checkpoint | None:
    """Return the checkpoint in `folder`, or None when there is no complete one."""
    try:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        return Checkpoint(folder, int(state["global_step"]), str(state["fingerprint"]))
    except (OSError, ValueError, KeyError):
        return None


def restore(checkpoint: Checkpoint, *, model: Any, optimizer: Any) -> History:
    """Put weights, optimizer and random numbers back to where `checkpoint` was written; return the history so far.

    Raises BadData for one that cannot be read, or was written by a run with another adapter.
    """
    try:
        return _restore(checkpoint, model=model, optimizer=optimizer)
    except Exception as error:  # pickles, safetensors and peft each have their own
        raise BadData(
            f"the checkpoint {checkpoint.folder} cannot be gone on from: {shorten(str(error))}; remove it, or start"
            " over with --fresh"
        ) from error


def _restore(checkpoint: Checkpoint, *, model: Any, optimizer: Any) -> History:
    import peft
    import torch
    from safetensors.torch import load_file

    peft.set_peft_model_state_dict(model, load_file(checkpoint.folder / "adapter_model.safetensors"))
    optimizer.load_state_dict(torch.load(checkpoint.folder / "optimizer.pt", weights_only=True))
    noise = torch.load(checkpoint.folder / "rng_state.pth", weights_only=False)  # our own file; holds python's state
    torch.set_rng_state(noise["torch"])
    random.setstate(noise["python"])
    if "cuda" in noise and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(noise["cuda"])
    state = json.loads((checkpoint.folder / _STATE).read_text(encoding="utf-8"))
    return History(list(state["losses"]), [(int(step), float(loss)) for step, loss in state["evaluations"]])


def _all(folder: Path) -> list[Checkpoint]:
    found = (read(path) for path in folder.glob(f"{_PREFIX}*") if path.is_dir())
    return [checkpoint for checkpoint in found if checkpoint]


def _flush(path: Path) -> None:
    """Have the disk hold `path`, so that the rename never comes before the content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
