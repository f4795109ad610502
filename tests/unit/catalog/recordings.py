"""Rows of the recordings of Kaito 0.12.0, where this machine has them."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("KAITO_CONFORMANCE") or Path(__file__).resolve().parents[4] / "shared" / "conformance")
FOLDER = SHARED / "kaito"


def recording(name: str, keep: Callable[[dict[str, Any]], bool] = lambda _: True) -> list[Any]:
    """The rows of `name` that `keep` takes, or one row that skips where the recordings are absent."""
    path = FOLDER / f"{name}.jsonl.gz"
    if not path.exists():
        reason = f"no recording {name}.jsonl.gz: neither $KAITO_CONFORMANCE nor ../shared/conformance has it"
        return [pytest.param({"id": "absent"}, marks=pytest.mark.skip(reason=reason), id="absent")]
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [row for row in map(json.loads, lines) if keep(row)]
