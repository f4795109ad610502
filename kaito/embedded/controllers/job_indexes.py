"""Completion indexes of Indexed Jobs. Source: pkg/controller/job/indexed_job_utils.go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation and label of a pod: its completion index."""


def index_of(pod: Mapping[str, Any]) -> int | None:
    """The pod's completion index, or None when it has no usable one."""
    text = (pod["metadata"].get("annotations") or {}).get(INDEX, "")
    return int(text) if text.isdigit() else None


def parse_indexes(text: str | None) -> set[int]:
    """The indexes that text such as `0,2-4` stands for."""
    found: set[int] = set()
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            found.update(range(int(first), int(last or first) + 1))
    return found


def format_indexes(indexes: Iterable[int]) -> str:
    """Indexes as text: runs of two are listed, longer ones written `first-last`."""
    parts: list[str] = []
    run: list[int] = []

    def close() -> None:
        if run:
            first, last = run[0], run[-1]
            if last == first:
                parts.append(str(first))
            else:
                parts.append(f"{first},{last}" if last == first + 1 else f"{first}-{last}")

    for index in sorted(indexes):
        if run and index != run[-1] + 1:
            close()
            run.clear()
        run.append(index)
    close()
    return ",".join(parts)


def free_indexes(count: int, completions: int, taken: set[int]) -> list[int]:
    """The lowest `count` indexes below `completions` that are not taken."""
    found: list[int] = []
    for index in range(completions):
        if len(found) == count:
            break
        if index not in taken:
            found.append(index)
    return found
