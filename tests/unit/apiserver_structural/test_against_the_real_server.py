"""Objects against schemas: what a real kube-apiserver 1.34.4 answered is what we answer."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from kaito.embedded.apiserver.schemas.decoding import decode_metadata
from kaito.embedded.apiserver.structural.resource import StructuralSchema, compile
from tests.unit.apiserver_structural import cases

Json = dict[str, Any]
REAL = json.loads((Path(__file__).parent / "data" / "real-1.34.json").read_text())
PLAIN = compile(cases.PLAIN)
RULES = compile(cases.RULES)


def expect_answer(schema: StructuralSchema, spec: Json, old: Json | None, answer: Json) -> None:
    """Runs prune, default and validate on an object with this spec and compares with a recorded answer."""
    obj = {"apiVersion": "record.dev/v1", "kind": "Plain", "metadata": {"name": "t"}, "spec": copy.deepcopy(spec)}
    obj = decode_metadata(obj).object
    unknown = schema.prune(obj)
    schema.default(obj)
    stored = None if old is None else schema.default({**obj, "spec": copy.deepcopy(old)})
    causes = schema.validate(obj, stored).causes
    found = sorted((cause.field, cause.message, cause.reason) for cause in causes)
    wanted = sorted((cause["field"], cause["message"], cause["reason"]) for cause in answer.get("causes", []))
    assert found == wanted
    if "stored" in answer:
        assert obj["spec"] == answer["stored"]["spec"]
        assert [f'299 - "unknown field \\"{path}\\""' for path in unknown] == answer["warnings"]


@pytest.mark.parametrize("case", REAL["plain"], ids=lambda case: json.dumps(case["spec"])[:60])
def test_schema_checks_answer_as_the_real_server_does(case: Json) -> None:
    expect_answer(PLAIN, case["spec"], None, case["answer"])


@pytest.mark.parametrize("case", REAL["ruled"], ids=lambda case: json.dumps([case["old"], case["new"]])[:60])
def test_rules_answer_as_the_real_server_does(case: Json) -> None:
    expect_answer(RULES, case["new"], case["old"], case["answer"])
