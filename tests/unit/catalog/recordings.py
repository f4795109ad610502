"""Rows of the recordings of Kaito 0.12.0, where this machine has them."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("KAITO_CONFORMANCE") or Path(__file__).resolve().parents[4] / "shared" / "conformance")
FOLDER = SHARED / "kaito"


def recording(name: str) -> list[Any]:
    """All rows of `name`, or one row that skips."""
    path = FOLDER / f"{name}.jsonl.gz"
    if not path.exists():
        reason = f"no recording {name}.jsonl.gz: neither $KAITO_CONFORMANCE nor ../shared/conformance has it"
        return [pytest.param({"id": "absent"}, marks=pytest.mark.skip(reason=reason), id="absent")]
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
