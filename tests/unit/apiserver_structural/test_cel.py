"""CEL: what compiles, what it costs and what it evaluates to, as a real kube-apiserver 1.34.4 answered."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kaito.embedded.apiserver.structural.cel import parsing
from kaito.embedded.apiserver.structural.cel.errors import CompileError, EvaluationError
from kaito.embedded.apiserver.structural.resource import StructuralSchema
from kaito.embedded.apiserver.structural.rule_checks import RuleChecks
from tests.unit.apiserver_structural import cel_cases

REAL = json.loads((Path(__file__).parent / "data" / "cel-1.34.json").read_text())
TYPE_NAME = re.compile(r"selfType\d*")


def refusals(rule: str) -> list[str]:
    schema = {
        "type": "object",
        "properties": {"spec": {**cel_cases.SUBJECT, "x-kubernetes-validations": [{"rule": rule}]}},
    }
    return [TYPE_NAME.sub("selfType", cause.message) for cause in RuleChecks().expressions(schema, "s")]


def verdict(rule: str, expression: str = "") -> list[str]:
    rules = [{"rule": rule, "messageExpression": expression}]
    schema = {"type": "object", "properties": {"spec": {**cel_cases.SUBJECT, "x-kubernetes-validations": rules}}}
    obj = {"apiVersion": "a/v1", "kind": "A", "metadata": {"name": "a"}, "spec": cel_cases.OBJECT}
    return [cause.message for cause in StructuralSchema(schema).validate(obj).causes]


@pytest.mark.parametrize("index", range(len(cel_cases.CHECKED)), ids=lambda i: cel_cases.CHECKED[i][:60])
def test_a_rule_is_compiled_and_priced_as_the_real_server_does(index: int) -> None:
    wanted = sorted(TYPE_NAME.sub("selfType", message) for message in REAL["checked"][index])
    assert sorted(refusals(cel_cases.CHECKED[index])) == wanted


@pytest.mark.parametrize("index", range(len(cel_cases.VALUES)), ids=lambda i: cel_cases.VALUES[i][0][:60])
def test_expressions_have_the_values_they_have_on_the_real_server(index: int) -> None:
    assert verdict("false", cel_cases.text_of(cel_cases.VALUES[index])) == [REAL["values"][index]]


@pytest.mark.parametrize("index", range(len(cel_cases.CONDITIONS)), ids=lambda i: cel_cases.CONDITIONS[i][:60])
def test_a_rule_without_a_value_fails_in_the_real_words(index: int) -> None:
    assert (verdict(cel_cases.CONDITIONS[index]) or [""]) == [REAL["conditions"][index]]


@pytest.mark.parametrize("source", ["", "(", "a.", "a ? b", "[1,", "{", "'", "\x00", "1 +", ")", "a b", "`", "." * 5])
def test_what_is_no_expression_is_refused(source: str) -> None:
    with pytest.raises(CompileError):
        parsing.parse(source)


def test_deep_nesting_is_refused_and_does_not_end_the_process() -> None:
    with pytest.raises((CompileError, EvaluationError)):
        parsing.parse("(" * 5000 + "1" + ")" * 5000)
