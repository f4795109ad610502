"""The sentences of a pod that fits nowhere. Source: kube-scheduler's `FitError` and DefaultPreemption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from kaito.embedded.scheduler.filtering import Refusal

NO_NODES = "no nodes available to schedule pods"
NO_CLAIMS = "no new claims to deallocate"
"""What the dynamic resources plugin adds to every such message of 1.34, whether the pod has resource claims or not."""
NOT_FOUND = "not found"
"""What both plugins add when no node was looked at."""


def _histogram(total: int, reasons: Iterable[str]) -> str:
    lines = sorted(f"{count} {reason}" for reason, count in Counter(reasons).items())
    return f"0/{total} nodes are available: {', '.join(lines)}."


def without_looking(total: int, problem: str) -> str:
    """The message for a reason that was found before any of `total` nodes was looked at."""
    return f"0/{total} nodes are available: {problem}. {NOT_FOUND}" if total else NO_NODES


def unschedulable(total: int, refusals: Mapping[str, Refusal], preemption: str | Iterable[str] | None) -> str:
    """The aggregate message over `total` nodes; `refusals` holds one entry per node.

    `preemption` says why no other pod is ended for this one: in a sentence, or by the reasons of all nodes. It is None
    when others are ended.
    """
    if not total:
        return NO_NODES
    head = _histogram(total, (reason for refusal in refusals.values() for reason in refusal.reasons))
    if preemption is None:
        return head
    tail = preemption if isinstance(preemption, str) else _histogram(total, preemption)
    return f"{head} {NO_CLAIMS}, preemption: {tail}"
