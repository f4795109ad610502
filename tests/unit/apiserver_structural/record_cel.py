"""Plays the expressions to a real server: record_cel.py SERVER TOKEN (not a test; run by hand)."""

from __future__ import annotations

import json
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import cel_cases

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "cel.test.dev"
BATCH = 20


def call(method: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        sys.argv[1] + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {sys.argv[2]}", "Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, context=ssl._create_unverified_context()) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raw = error.read()
        return json.loads(raw) if raw.startswith(b"{") else {"code": error.code}


def definition(rules: list[dict[str, Any]], plural: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"spec": {**cel_cases.SUBJECT, "x-kubernetes-validations": rules}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "kind": plural.capitalize()}
    return {
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Cluster", "names": names, "versions": [version]},
    }


def causes(status: Any) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (status.get("details") or {}).get("causes") or []
    return found


def checked(rules: list[str]) -> list[list[str]]:
    """What each rule is refused for; each alone, so that their costs do not add up."""
    return [
        [
            cause["message"]
            for cause in causes(call("POST", f"{DEFINITIONS}?dryRun=All", definition([{"rule": rule}], "as")))
        ]
        for rule in rules
    ]


def evaluated(rules: list[dict[str, Any]]) -> list[str]:
    """The message of each rule about the object; "" for one that holds."""
    messages: list[str] = []
    for start in range(0, len(rules), BATCH):
        batch, plural = rules[start : start + BATCH], f"bs{start}"
        marked = [{**rule, "fieldPath": f".{name}"} for rule, name in zip(batch, NAMES, strict=False)]
        schema = definition(marked, plural)
        made = call("POST", DEFINITIONS, schema)
        assert made["kind"] == "CustomResourceDefinition", made
        time.sleep(2)
        thing = {"apiVersion": f"{GROUP}/v1", "kind": plural.capitalize(), "metadata": {"name": "a"}}
        answer = causes(call("POST", f"/apis/{GROUP}/v1/{plural}", {**thing, "spec": cel_cases.OBJECT}))
        call("DELETE", f"{DEFINITIONS}/{plural}.{GROUP}")
        found = {cause["field"].removeprefix("spec."): cause["message"] for cause in answer}
        messages += [found.get(name, "") for name, _ in zip(NAMES, batch, strict=False)]
    return messages


NAMES = sorted(cel_cases.SUBJECT["properties"])


def main() -> None:
    values = [{"rule": "false", "messageExpression": cel_cases.text_of(row)} for row in cel_cases.VALUES]
    recorded = {
        "checked": checked(cel_cases.CHECKED),
        "values": evaluated(values),
        "conditions": [conditions[0] if conditions else "" for conditions in map(alone, cel_cases.CONDITIONS)],
    }
    target = Path(__file__).parent / "data" / "cel-1.34.json"
    target.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n")


def alone(rule: str) -> list[str]:
    """An error of an evaluation names no field: each rule on its own."""
    plural = "cs"
    made = call("POST", DEFINITIONS, definition([{"rule": rule}], plural))
    assert made["kind"] == "CustomResourceDefinition", (rule, made)
    thing = {"apiVersion": f"{GROUP}/v1", "kind": "Cs", "metadata": {"name": "a"}, "spec": cel_cases.OBJECT}
    answer: Any = {"code": 404}
    while answer.get("code") == 404:
        time.sleep(0.2)
        answer = call("POST", f"/apis/{GROUP}/v1/cs?dryRun=All", thing)
    call("DELETE", f"{DEFINITIONS}/cs.{GROUP}")
    while call("GET", f"{DEFINITIONS}/cs.{GROUP}").get("code") != 404:
        time.sleep(0.2)
    return [cause["message"] for cause in causes(answer)]


main()
