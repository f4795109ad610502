"""The sentences of a pod that fits nowhere. Source: kube-scheduler's `FitError` and DefaultPreemption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from kaito.embedded.scheduler.filtering import Refusal

NO_NODES = "no nodes available to schedule pods"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NEVER = "not eligible due to preemptionPolicy=Never."
NO_CLAIMS = "no new claims to deallocate"
"""What the dynamic resources plugin adds to every such message of 1.34, whether the pod has resource claims or not."""
NOT_FOUND = "not found"
"""What both plugins add when no node was looked at."""


def _histogram(total: int, reasons: Iterable[str]) -> str:
    lines = sorted(f"{count} {reason}" for reason, count in Counter(reasons).items())
    return f"0/{total} nodes are available: {', '.join(lines)}."


def unschedulable(
    total: int, refusals: Mapping[str, Refusal], *, problem: str | None = None, never_preempts: bool = False
) -> str:
    """The aggregate message over `total` nodes.

    `refusals` holds one entry per node, `problem` is a reason found before any node was looked at (then the reasons of
    nodes are left out). No pod is ever preempted here, so the second half always says why not.
    """
    if not total:
        return NO_NODES
    if problem is not None:
        return f"0/{total} nodes are available: {problem}. {NOT_FOUND}"
    head = _histogram(total, (reason for refusal in refusals.values() for reason in refusal.reasons))
    finals = [NOT_HELPFUL if refusal.final else NO_VICTIMS for refusal in refusals.values()]
    tail = NEVER if never_preempts else _histogram(total, finals)
    return f"{head} {NO_CLAIMS}, preemption: {tail}"
