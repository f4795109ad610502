"""Checks of the rules in a CRD's schema: they must compile, and not cost too much.

From apiextensions-apiserver/pkg/apis/apiextensions/validation (validation.go, cel_validation.go).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, not_supported, required, shown
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.structural.cel.estimates import LARGEST
from kaito.embedded.apiserver.structural.cel.types import STRING
from kaito.embedded.apiserver.structural.declared_types import REQUEST_BYTES, Declared, declare
from kaito.embedded.apiserver.structural.internal_schema import internal_rule
from kaito.embedded.apiserver.structural.rules import RuleError, compile_rule
from kaito.embedded.apiserver.structural.schema_paths import resolves

Json = dict[str, Any]
REASONS: Final = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
RULE_LIMIT: Final = 10_000_000
SCHEMA_LIMIT: Final = 100_000_000
NAMED: Final = 4
"""As many of the most expensive rules are named where all of them together cost too much."""
TOTAL: Final = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"


class Place(NamedTuple):
    """Where in the schema a rule is. `often` is how many values there can be at most, None where nothing says so;
    `uncorrelated` the path of the list or map whose items have no counterpart in the old object."""

    path: str
    often: int | None
    is_resource: bool
    uncorrelated: str = ""


def check_texts(schema: Json, path: str) -> list[Cause]:
    """What is wrong with the rules of one place before they are compiled."""
    causes: list[Cause] = []
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        causes += _check_text(schema, rule, f"{path}.x-kubernetes-validations[{index}]")
    return causes


class RuleChecks:
    """Whether the rules of one schema compile, and what all of them may cost."""

    def __init__(self) -> None:
        self._spent: list[tuple[int, str]] = []

    def expressions(self, schema: Json, path: str) -> list[Cause]:
        """What does not compile or costs too much. Meaningful for structural schemas alone."""
        causes = self._visit(schema, Place(path, 1, True))
        total = min(sum(cost for cost, _ in self._spent), LARGEST)
        if total > SCHEMA_LIMIT:
            for cost, where in sorted(self._spent, key=lambda spent: -spent[0])[:NAMED]:
                if cost * 100 >= SCHEMA_LIMIT:
                    detail = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
                    causes.append(forbidden(where, detail))
            causes.append(forbidden(path, _too_expensive(TOTAL, total, SCHEMA_LIMIT)))
        return causes

    def _visit(self, schema: Json, place: Place) -> list[Cause]:
        causes: list[Cause] = []
        if rules := schema.get("x-kubernetes-validations"):
            declared = declare(schema, is_resource=place.is_resource)
            for index, rule in enumerate(rules):
                here = f"{place.path}.x-kubernetes-validations[{index}]"
                causes += self._check(rule, here, place, declared.named("selfType") if declared is not None else None)
        for child, where in children(schema, place.path):
            causes += self._visit(child, _below(schema, child, where, place))
        return causes

    def _check(self, rule: Json, path: str, place: Place, declared: Declared | None) -> list[Cause]:
        if declared is None:
            detail = "Internal error: rule declared on schema that does not support validation rules type"
            return [Cause(path, detail, "InternalError")]
        optional = bool(rule.get("optionalOldSelf"))
        often = place.often if place.often is not None else _most(declared.least)
        try:
            compiled = compile_rule(rule["rule"], declared, optional_old_self=optional)
        except RuleError as problem:
            return [_invalid(f"{path}.rule", rule, str(problem)), *_check_transition(rule, path, place, uses_old=False)]
        causes = self._priced("estimated rule cost", compiled.cost, often, f"{path}.rule")
        causes += _check_transition(rule, path, place, uses_old="oldSelf" in compiled.names)
        message = rule.get("messageExpression")
        if not message:
            return causes
        try:
            compiled = compile_rule(message, declared, optional_old_self=optional, wanted=STRING)
        except RuleError as problem:
            detail = f"messageExpression {str(problem).removeprefix('program ')}"
            return [*causes, _invalid(f"{path}.messageExpression", rule, detail)]
        what = "estimated messageExpression cost"
        return causes + self._priced(what, compiled.cost, often, f"{path}.messageExpression")

    def _priced(self, what: str, cost: int, often: int, path: str) -> list[Cause]:
        cost = min(cost * often, LARGEST)
        self._spent.append((cost, path))
        return [forbidden(path, _too_expensive(what, cost, RULE_LIMIT))] if cost > RULE_LIMIT else []


def children(schema: Json, path: str) -> list[tuple[Json, str]]:
    """The schemas of members and items, combinations apart."""
    found = [(child, f"{path}.properties[{name}]") for name, child in (schema.get("properties") or {}).items()]
    for keyword in ("additionalProperties", "items"):
        if isinstance(schema.get(keyword), dict):
            found.append((schema[keyword], f"{path}.{keyword}"))
    return found


def _below(schema: Json, child: Json, where: str, place: Place) -> Place:
    often, uncorrelated = place.often, place.uncorrelated
    if where.endswith(".items"):
        often = _times(often, schema.get("maxItems"))
        if schema.get("x-kubernetes-list-type") != "map":
            uncorrelated = uncorrelated or place.path
    elif where.endswith(".additionalProperties"):
        often = _times(often, schema.get("maxProperties"))
    return Place(where, often, bool(child.get("x-kubernetes-embedded-resource")), uncorrelated)


def _times(often: int | None, most: int | None) -> int | None:
    return None if often is None or most is None else min(often * max(most, 0), LARGEST)


def _most(least: int) -> int:
    """How many values of `least` bytes fit into a request, commas between them."""
    return REQUEST_BYTES // (least + 1)


def _check_transition(rule: Json, path: str, place: Place, *, uses_old: bool) -> list[Cause]:
    if uses_old:
        if place.uncorrelated:
            detail = "oldSelf cannot be used on the uncorrelatable portion of the schema within "
            return [invalid(f"{path}.rule", rule["rule"], detail + place.uncorrelated)]
    elif rule.get("optionalOldSelf") is not None:
        detail = "may not be set if oldSelf is not used in rule"
        return [invalid(f"{path}.optionalOldSelf", rule["optionalOldSelf"], detail)]
    return []


def _check_text(schema: Json, rule: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    text, message = rule.get("rule") or "", rule.get("message") or ""
    if not text.strip():
        causes.append(required(f"{path}.rule", "rule is not specified"))
    elif message and not message.strip():
        causes.append(invalid(f"{path}.message", message, "must be non-empty if specified"))
    elif "\n" in message.strip():
        causes.append(invalid(f"{path}.message", message.strip(), "must not contain line breaks"))
    elif "\n" in text.strip() and not message.strip():
        causes.append(required(f"{path}.message", "message must be specified if rule contains line breaks"))
    expression = rule.get("messageExpression") or ""
    if expression and not expression.strip():
        causes.append(required(f"{path}.messageExpression", "must be non-empty if specified"))
    reason = rule.get("reason")
    if reason is not None and reason not in REASONS:
        causes.append(not_supported(f"{path}.reason", reason, REASONS))
    return causes + _check_field_path(schema, rule.get("fieldPath") or "", f"{path}.fieldPath")


def _check_field_path(schema: Json, where: str, path: str) -> list[Cause]:
    if not where:
        return []
    causes: list[Cause] = []
    if not where.strip():
        causes.append(invalid(path, where, "must be non-empty if specified"))
    if "\n" in where:
        causes.append(invalid(path, where, "must not contain line breaks"))
    if not resolves(schema, where):
        causes.append(invalid(path, where, "must be a valid path"))
    return causes


def _invalid(path: str, rule: Json, detail: str) -> Cause:
    return Cause(path, f"Invalid value: {shown(internal_rule(rule))}: {detail}")


def _too_expensive(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    if factor > 100:
        text = "more than 100x"
    else:
        text = f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    advice = (
        "try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings "
    )
    return f"{what} exceeds budget by factor of {text} ({advice}are declared)"
