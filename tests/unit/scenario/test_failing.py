"""Why a step failed is said once, however often the conditions repeat it."""

from __future__ import annotations

from kaito.scenario.operations import joined


def test_an_error_that_every_condition_repeats_is_said_once() -> None:
    error = "(last reconcile error: no such size)"
    words = [
        f"WorkspaceReady False: waiting {error}",
        f"NodesReady False: not enough nodes {error}",
        "pod w-0, main: exit 1: out of memory",
    ]
    said = joined(f"WorkspaceReady of workspace/w is False: waiting {error} after 4 s", words)
    assert said.count("no such size") == 1
    assert said.endswith("after 4 s; NodesReady False: not enough nodes; pod w-0, main: exit 1: out of memory")
