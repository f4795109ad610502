"""What an apply gives up is removed as a real kube-apiserver 1.34.4 removes it; the expectations are its answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.apiserver_patching.cases import SCHEMA, thing
from tests.unit.apiserver_patching.replaying import Replay

Applies = list[tuple[str, dict[str, Any]]]


def specs_after(applies: Applies) -> list[Any]:
    """The spec after each apply; None where there is none."""
    replay = Replay("trackeds", SCHEMA)
    step = {"verb": "apply", "force": True, "kind": "Tracked", "apiVersion": "record.dev/v1"}
    return [replay.play({**step, "manager": who, "body": thing(spec)})["object"].get("spec") for who, spec in applies]


ONE = [{"name": "a", "v": 1}]


@pytest.mark.parametrize(
    ("applies", "last"),
    [
        ([("m1", {"parts": ONE, "size": 5}), ("m1", {"parts": []})], None),
        ([("m1", {"parts": ONE}), ("m1", {})], {"size": 3}),
        ([("m1", {"parts": ONE, "plain": ["x"]}), ("m1", {"parts": [], "plain": ["x"]})], {"plain": ["x"], "size": 3}),
        ([("m1", {}), ("m2", {}), ("m1", {"names": []})], None),
        ([("m1", {"parts": [], "names": ["x"]}), ("m2", {"size": 5}), ("m1", {"parts": []}), ("m2", {})], None),
    ],
    ids=["everything", "but the map", "but one field", "of a map that another owns", "by two in turn"],
)
def test_a_map_that_keeps_only_an_empty_list_goes_with_what_was_owned_in_it(applies: Applies, last: Any) -> None:
    assert specs_after(applies)[-1] == last


def test_an_empty_list_stays_while_its_owner_applies_the_same() -> None:
    assert specs_after([("m1", {"parts": []}), ("m1", {"parts": []})])[-1] == {"parts": [], "size": 3}
